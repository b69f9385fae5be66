"""Training progress that a program prints: steps, loss, learning rate and epoch, parsed from its output."""

from fleet.printed.figures import Figures
from fleet.printed.reader import PrintedProgress

__all__ = ["Figures", "PrintedProgress"]
