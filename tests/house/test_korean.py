"""Whatever fleet says to a person can be said in Korean: held against the sources themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import agent
from fleet.preflight.catalog import checks_for
from tests.support.prose import HOLE, form, prose_of, texts_of
from tui.i18n import Texts
from tui.i18n.particles import with_particles
from tui.i18n.sentences import CatalogueError, Sentence, Sentences, korean, korean_files, read_pairs

ROOT = Path(agent.__file__).parent.parent
#: Where sentences come from, and what in there speaks to nobody at a screen.
ROOMS = (
    "fleet", "transports", "agent", "trainer/settings_file.py",
    "tui/engine.py", "tui/fleet_operations.py", "tui/load.py", "tui/views/config.py",
    "tui/cli/fixing.py", "tui/cli/forecast_table.py", "tui/cli/gpu_table.py", "tui/cli/main.py",
    "tui/cli/narrate.py", "tui/cli/options.py",
    "tui/cli/preflight_table.py", "tui/cli/printing.py", "tui/cli/runs.py", "tui/cli/prompts.py",
    "tui/cli/first_questions.py", "tui/cli/doctor.py",
    "tui/cli/commands/init.py", "tui/cli/commands/status.py",
)  # fmt: skip
SILENT = {
    "writes files and pages of the docs": (
        "fleet/accelerate_config.py", "fleet/inventory/keys.py", "fleet/inventory/reference.py",
        "fleet/inventory/render.py", "fleet/preflight/reference.py",
    ),
    "looks for words of systems and drivers": (
        "agent/checks", "agent/facts", "agent/sampler/amd.py", "agent/sampler/gpu.py",
        "agent/sampler/nvml_readings.py",
    ),
    "is heard only when dtui itself is broken": (
        "agent/deltas.py", "agent/protocol.py", "agent/supervisor/spec.py", "agent/tree/format.py",
        "agent/tree/receive.py", "fleet/events.py", "fleet/frozen.py", "fleet/telemetry/blocks.py",
    ),
}  # fmt: skip
#: Texts in the other files that are no sentences of ours.
NO_SENTENCE = (
    # A program, a page, an answer of HTTP; commands that a fix runs; names of tasks; units.
    r".*\n.*", r"(Get|Set|Add)-[A-Z].*", r"\$from\b.*", r"rule family=.*", "ipv[46]", "import sys.*",
    "pip install.*", r"uv \{\}", r"--set \{\}", r"\[\{.*", r"(read|ping) \{\}", "keep telemetry",
    "this", "workers",
    r"these \{\}", r"\{\} [GM]bit/s", r"winrm \(.*\)", r"\(not kept\)", "40[45] .*", "# TYPE .*",
    r"dtui: \{\}", r"there is no command .*", r"--on .*\{\}; \{\}",
    r"\{\} (min|h) .*", r"\{\} \(\{\} ms\)", r"\{\}  world size .*",
    r"\{\} in \{\} \(\{\}:\{\}\)", r"\{\}, line \{\}: \{\}",
    "ssh (keys|agent)", "extra ==", "dtui init", "s/step", "speed-up", "efficiency", "process",
    r"\{\} / \{\} Gbit/s",
    r"\{\} GPUs/\{\} \{\}x", r"\{\} -> \{\}, .*",
    # Why a clock is low, of which no light tells.
    "clock setting", "power cap", "sync boost", "display clock",
    # Words of others, by which their failures are known.
    "power saver", "host key", "uthentication failures", "Permission denied", "Traceback.*",
    "No module named.*",
    "mapping values are not allowed", "unknown escape character", "unexpected end of stream", "<stream end>",
    "could not find expected.*", "expected (<|').*", "cannot start any token", "found undefined alias",
    "but found another document", "Microsoft Store", "Python was not found", "(has )?no attribute.*",
    "No space left.*", "os error.*", "dns error.*", "No solution.*", "requires-python.*", r"\\\[.*",
    "couldn't communicate.*", "version mismatch", "No devices were found", r"\$\{ProgramFiles\}.*",
    # What only a fault of dtui's own makes anybody say.
    "an? (agent|console) does not send.*", r"a \{\} frame for.*", "request .*", "ended at once",
    r"\{\} is no entry of a list.*", r"\{\} has \{\} bytes staged.*",
)  # fmt: skip
#: Where something stands, before what is said of it.
PLACE = re.compile(r"^(?:\S+(?: \S+)?: )+")
HOLES = re.compile(r"\{(\w+)(?::\w+)?\}")
SAMPLES = {
    None: "‹{}› a",
    "word": "‹{}›",
    "list": "‹{}›, ‹x›",
    "size": "{}.5 GB",
    "addresses": "10.0.0.{}, fe80::1",
    "exit": "exit code {}",
    "endpoint": "kim@node:{}",
    "count": "{} files",
    "words": "‹{}› a",
    "quoted": "'‹{}› a'",
}


def sources() -> list[Path]:
    places = [ROOT / room for room in ROOMS]
    return [path for place in places for path in (sorted(place.rglob("*.py")) if place.is_dir() else [place])]


def speaks(path: Path) -> bool:
    silent = [ROOT / place for places in SILENT.values() for place in places]
    return not any(path == place or place in path.parents for place in silent)


def diagnosed() -> Iterator[str]:
    for entry in yaml.safe_load((ROOT / "configs" / "diagnosis.yaml").read_text("utf-8")):
        yield re.sub(r"\\\d+", HOLE, entry["cause"])
        yield entry["remedy"]


def translated() -> dict[str, set[str]]:
    """Return sentence -> how it may stand in the sources: whole, or without the subject put before it."""
    return {
        f"{path.name}: {english}": {whole := form(HOLES.sub(HOLE, english)), whole.removeprefix(f"{HOLE} ")}
        for path in korean_files()
        if path.name != "system.txt"  # what others say
        for english, _ in read_pairs(path.read_text("utf-8"))
    }


def test_every_sentence_in_the_sources_has_a_korean_one():
    titles = {form(re.sub(r"\d+", HOLE, check.title)) for check in checks_for()}  # for the docs only
    known = set().union(titles, *translated().values())
    no_sentence = re.compile("|".join(NO_SENTENCE), re.DOTALL)
    missing = [
        f"{prose.where}: {prose.text}"
        for path in sources()
        if speaks(path)
        for prose in prose_of(path)
        if not {prose.text, PLACE.sub("", prose.text)} & known and not no_sentence.fullmatch(prose.text)
    ]
    missing += [text for text in diagnosed() if form(text) not in known]
    assert missing == []


def test_nothing_is_translated_that_nobody_says():
    said = {text for path in sources() for text in texts_of(path)} | {form(text) for text in diagnosed()}
    said |= {PLACE.sub("", text) for text in said}
    assert [sentence for sentence, forms in translated().items() if not forms & said] == []


def test_no_sentence_is_translated_twice():
    sentences = [key.split(": ", 1)[1] for key in translated()]
    assert [one for one, count in Counter(sentences).items() if count > 1] == []


def test_what_is_left_out_is_there():
    assert [place for places in SILENT.values() for place in places if not (ROOT / place).exists()] == []


@pytest.fixture(scope="module")
def catalogue() -> Sentences:
    return korean()


def test_no_sentence_is_taken_for_another(catalogue: Sentences):
    wrong = {}
    for sentence in catalogue.all:
        values = {
            name: SAMPLES[kind].format(number)
            for number, (name, kind) in enumerate(zip(sentence.names, sentence.kinds, strict=True), 1)
        }
        text = HOLES.sub(lambda hole, values=values: values[hole[1]], sentence.english)
        inner = {name: catalogue.say(value) for name, value in values.items()}
        if catalogue.say(text) != with_particles(sentence.said(inner)):
            wrong[text] = catalogue.say(text)
    assert wrong == {}


def test_causes_and_values_within_a_sentence_are_said_too(catalogue: Sentences):
    told = (
        "gpu1, gpu2 can't reach master on 29500 and an ephemeral port: the network says that there is no way"
    )
    assert catalogue.say(told) == (
        "gpu1, gpu2에서 master의 29500번 포트와 임시 포트에 연결할 수 없습니다: "
        "네트워크에 그곳으로 가는 길이 없습니다"
    )


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("no way to the node works (ssh: no answer within 4 s; winrm (https): nothing listens on port 5986)",
         "노드에 연결할 방법이 모두 실패했습니다 (ssh: 4초 안에 응답이 없습니다. "
         "winrm (https): 포트 5986에서 듣는 프로그램이 없습니다)"),
        ("no usable Python was found; python3: not installed, or not on the PATH; "
         "py -3: ended with status 103, saying 'No runtimes'",
         "쓸 수 있는 Python이 없습니다. python3: 설치되어 있지 않거나 PATH에 없습니다. "
         "py -3: 끝났습니다. 종료 상태 103. 출력: 'No runtimes'"),
        ("2 of 5 nodes did not pass the checks, so nothing was deployed: gpu[1-2]",
         "노드 5개 중 2개(gpu[1-2]): 점검을 통과하지 못해서 아무것도 배포하지 않았습니다"),
        ("12 files to send (1.2 MB), 1 time stamp to set, 2 files to delete, 12.3 MB/s",
         "보낼 파일 12개 (1.2 MB), 맞출 시간 정보 1개, 지울 파일 2개, 12.3 MB/s"),
        ("not joined after 30 s: rank 2 (gpu2, importing), rank 3 (gpu2, no sign yet)",
         "30초가 지나도 참가하지 않은 rank: rank 2 (gpu2, 임포트), rank 3 (gpu2, 아직 소식 없음)"),
        ("rank 0 (master) ended with exit code 1: ValueError: bad; see also x",
         "rank 0 (master)이 종료 코드 1로 끝났습니다: ValueError: bad; see also x"),
        ("the agent ended in the middle of a frame with status 1, saying 'x'",
         "에이전트가 끝났습니다 (메시지를 보내던 중) (종료 상태 1). 출력: 'x'"),
        ("configs/nodes.yaml:3:5: defaults.port: must be a port from 1 to 65535, not 70000",
         "configs/nodes.yaml:3:5: defaults.port: 포트여야 하고 1부터 65535까지입니다. 적힌 것: 70000"),
        ("--on gpux: there is no node 'gpux' (did you mean gpu1?); the inventory has gpu[1-2]",
         "--on gpux: 'gpux' (혹시 gpu1?): 그런 노드는 없습니다. 노드 목록에 있는 것: gpu[1-2]"),
    ],
)  # fmt: skip
def test_what_is_put_together_is_said_whole(told: str, said: str, catalogue: Sentences):
    assert catalogue.say(told) == said


def test_several_sentences_in_one_text_are_said_one_by_one(catalogue: Sentences):
    assert catalogue.say("gpu3: no connection. update the driver; [Errno 5] so says the system") == (
        "gpu3: 연결되지 않았습니다. 드라이버를 업데이트하세요; [Errno 5] so says the system"
    )


def test_lines_are_said_one_by_one(catalogue: Sentences):
    assert catalogue.say("no such luck\nno connection") == "no such luck\n연결되지 않았습니다"
    assert catalogue.knows("no connection\nupdate the driver")
    assert not catalogue.knows("no such luck\nno connection")


def test_what_others_say_stays_as_it_is(catalogue: Sentences):
    for text in ("", "RuntimeError: shape '[3, 4]' is invalid; see above. No luck", "한글"):
        assert catalogue.say(text) == text


def test_english_is_the_source():
    assert Texts("en").said("no connection") == "no connection"
    assert Texts("ko").said("no connection") == "연결되지 않았습니다"


def test_the_console_s_own_texts_have_their_particles_fitted():
    asked = Texts("ko")("confirm.stop", run="r-1", count=2, ranks=4)
    assert asked == "실행 r-1을 중지할까요? 노드 2개의 rank 4개가 지금 끝납니다."


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("gpu3을(를)", "gpu3을"), ("gpu2을(를)", "gpu2를"), ("포트 29500은(는)", "포트 29500은"),
        ("노드이(가)", "노드가"), ("'eth1'과(와)", "'eth1'과"), ("서울(으)로", "서울로"),
        ("컴퓨터(으)로", "컴퓨터로"),
        ("집(으)로", "집으로"), ("python(으)로", "python으로"), ("Ethernet은(는)", "Ethernet은"),
        ("rank은(는)", "rank는"),
        ("[0]이(가)", "[0]이"), ("torch과(와)", "torch와"), ("(모름)을(를)", "(모름)을(를)"),
    ],
)  # fmt: skip
def test_particles_fit_the_sound_before_them(written: str, read: str):
    assert with_particles(written) == read


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("one\ntwo\n", "take turns"),
        ("one\n", "not translated"),
    ],
)
def test_a_catalogue_with_a_gap_is_refused(text: str, fault: str):
    with pytest.raises(CatalogueError, match=fault):
        list(read_pairs(text))


@pytest.mark.parametrize(
    ("english", "korean_text"),
    [("{a}{b} left", "{a} {b}"), ("{a} left", "{b}"), ("{a}", "{a}"), ("a {b} left", "{b}")],
)
def test_a_sentence_whose_values_are_lost_is_refused(english: str, korean_text: str):
    with pytest.raises(CatalogueError):
        Sentence(english, korean_text)
