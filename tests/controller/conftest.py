from tests.runs.conftest import nothing_stays

__all__ = ["nothing_stays"]
