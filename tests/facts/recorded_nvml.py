"""NVML as recorded: a library whose functions give what a file says, errors included."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pynvml

JSON = dict[str, Any]


class RecordedNvml:
    """Behaves like the module pynvml on the machine of the recording.

    ``system`` and each of ``devices`` map a function to its value or to ``{"error": "NOT_SUPPORTED"}``.
    What is not recorded is not supported there. Values that depend on further arguments are lists of
    ``[arguments, value]``.
    """

    def __init__(self, recording: JSON) -> None:
        self._recording = recording
        self.calls: list[str] = []

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self._recording["devices"])

    def nvmlDeviceGetHandleByIndex(self, index: int) -> JSON:  # noqa: N802
        device: JSON = self._recording["devices"][index]
        self._value(device, "nvmlDeviceGetHandleByIndex", (), default=True)
        return device

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: JSON, index: int) -> JSON:  # noqa: N802
        instances = device.get("mig_devices", [])
        if index >= len(instances):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return instances[index]

    def nvmlDeviceGetFieldValues(self, device: JSON, wanted: list[Any]) -> list[Any]:  # noqa: N802
        self.calls.append("nvmlDeviceGetFieldValues")
        recorded = dict(map(tuple, device.get("fields", [])))
        values = []
        for field in wanted:
            number = recorded.get(field[0] if isinstance(field, tuple) else field)
            status = pynvml.NVML_SUCCESS if number is not None else pynvml.NVML_ERROR_NOT_SUPPORTED
            values.append(
                SimpleNamespace(
                    nvmlReturn=status,
                    valueType=pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG,
                    value=SimpleNamespace(ullVal=number, uiVal=number),
                )
            )
        return values

    def __getattr__(self, name: str) -> Any:
        if name.startswith("nvmlSystem") or name == "nvmlInit":
            return self._function(self._recording["system"], name)
        if name.startswith("nvmlDevice"):
            return lambda device, *rest, **_: self._function(device, name)(*rest)
        return getattr(pynvml, name)

    def _function(self, record: JSON, name: str) -> Callable[..., Any]:
        return lambda *arguments: self._value(record, name, arguments, default=name == "nvmlInit")

    def _value(self, record: JSON, name: str, arguments: tuple[Any, ...], *, default: bool = False) -> Any:
        self.calls.append(name)
        value = record.get(name)
        if isinstance(value, list) and value and isinstance(value[0], list):
            value = next((found for given, found in value if list(arguments) == given), None)
        if isinstance(value, dict) and "error" in value:
            raise pynvml.NVMLError(getattr(pynvml, "NVML_ERROR_" + value["error"]))
        if value is None:
            if default:
                return None
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return _as_structure(value)


def _as_structure(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**value)
    if isinstance(value, list):
        return [_as_structure(item) for item in value]
    return value
