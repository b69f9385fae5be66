"""From a state to lines of styled text, as pure functions: what the screens show, without any screen."""
