"""The settings file: every fault at its place, and nothing of a faulty file used."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.telemetry.settings import Band, TelemetrySettings, TelemetrySettingsError, load_settings

SHIPPED = Path(__file__).parents[2] / "configs" / "telemetry.yaml"


def load(tmp_path: Path, text: str) -> TelemetrySettings:
    path = tmp_path / "telemetry.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "none.yaml") == TelemetrySettings()
    assert load(tmp_path, "") == TelemetrySettings()


def test_the_shipped_file_says_what_the_defaults_are() -> None:
    assert load_settings(SHIPPED) == TelemetrySettings()


def test_what_is_written_counts_and_the_rest_stays(tmp_path: Path) -> None:
    settings = load(tmp_path, "gpu: {warn: 90}\nprice_per_kwh: 150\ncurrency: KRW\nwindow: 10\n")
    assert settings.gpu == Band(90, 80)
    assert (settings.price_per_kwh, settings.currency, settings.window) == (150.0, "KRW", 10.0)


def test_all_faults_are_told_at_once_with_their_places(tmp_path: Path) -> None:
    text = (
        "gpu: {warn: 50, fail: 80}\nnetwrk: {warn: 1}\nwindow: soon\ndata: {warn: 5, red: 9}\nstraggler: -1\n"
    )
    with pytest.raises(TelemetrySettingsError) as caught:
        load(tmp_path, text)
    told = [(fault.line, fault.key, fault.what) for fault in caught.value.faults]
    assert told == [
        (1, "gpu", "fail (80) must be below warn (50)"),
        (2, "netwrk", "unknown key 'netwrk'"),
        (3, "window", "must be a number above 0"),
        (4, "data.red", "unknown key 'red'"),
        (5, "straggler", "must be a number above 0"),
    ]
    assert caught.value.faults[1].remedy == "did you mean 'network'?"


@pytest.mark.parametrize(
    ("value", "low", "high"), [(94.9, "warn", "fail"), (10, "fail", "ok"), (99, "ok", "fail")]
)
def test_a_band_may_dread_low_or_high_values(value: float, low: str, high: str) -> None:
    assert Band(95, 80).status(value) == low
    assert Band(20, 30).status(value) == high
