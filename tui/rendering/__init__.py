"""Values as text, marks and pixels; nothing here needs Textual."""
