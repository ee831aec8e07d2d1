"""The Python side of Millrace's step contract, version 1 (docs/step-contract.md).

One file, no dependencies, Python 3.9 or later. Millrace puts it on the module path of every step:

    import millrace

    table = read(millrace.inputs.table)              # a pathlib.Path: the content lies there, read-only
    for epoch in range(millrace.inputs.epochs):      # a plain value
        millrace.metric("loss", train_one(epoch), index=epoch)
        millrace.progress((epoch + 1) / millrace.inputs.epochs)
    save(millrace.out("model"))                      # the path to write an artifact to: a file or a folder
    millrace.output(auc=0.81)                        # values of the step's output

Module attributes, read when first used:
    inputs      the step's input by name, as attributes or keys; an artifact is the path of its content
    folder      the step's folder
    checkpoint  folder that outlives the attempt: look here first, write here now and then
                (or leave it to `save_checkpoint` and `load_checkpoint`)
    run, step   identity of the run, and of the step in it (`train#2`)
    attempt     1 for the first

Outside a step, for tests and a debugger, point MILLRACE_DIR at a folder that holds an input.json.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterator, NoReturn

# Bound when first used, by __getattr__ below: importing this file outside a step is no error.
inputs: Inputs
folder: Path
checkpoint: Path
run: str
step: str
attempt: int

CONTRACT_VERSION = 1
NON_RETRYABLE = 65  # EX_DATAERR of sysexits.h
STOPPED = 143  # as of a program that SIGTERM ended
LEVELS = ("debug", "info", "warn", "error")
LINE_LIMIT = 65_536  # bytes of one line of the events file
STATE_FILE = "state.pickle"  # in a checkpoint that `save_checkpoint` wrote
SAFE_INTEGER = 2**53 - 1  # larger ones lose digits where JSON numbers are doubles


class NotInStep(RuntimeError):
    """Something of a step was asked for where no step runs."""


class Inputs(dict):
    """The step's input: `inputs.table` or `inputs["table"]`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            if name.startswith("__"):
                raise AttributeError(name) from None
            raise AttributeError(_unknown_input(name, self)) from None

    def __missing__(self, name: str) -> Any:
        raise KeyError(_unknown_input(name, self))


def out(name: str) -> Path:
    """Path to write the artifact output `name` to: a file, or a folder you make."""
    if not name or name.startswith(".") or "/" in name or "\\" in name:
        raise ValueError(
            f"{name!r} cannot be the name of an output: give the name of a field of the step's `output`."
        )
    return _folder() / "out" / name


def output(**values: Any) -> None:
    """Sets values of the step's output. Calls add up; the last value of a name counts.

    Takes what JSON can hold, numpy scalars and arrays too. Raises ValueError for NaN and infinities and TypeError
    for other objects, naming the place; then nothing is written. Threads may call it, of one process.
    """
    plain = {name: _plain(value, name) for name, value in values.items()}
    file = _folder() / "output.json"
    with _output_lock:
        merged = json.loads(file.read_text("utf-8")) if file.exists() else {}
        merged.update(plain)
        temporary = file.with_name(f".output.json.{os.getpid()}")
        temporary.write_text(json.dumps(merged, allow_nan=False), "utf-8")
        os.replace(temporary, file)


def metric(name: str, value: Any, index: int | None = None) -> None:
    """Records a number of a series, shown live and kept. `index` is its place: an epoch, a count of trees.

    NaN and infinities, which a diverging training gives, become a warning instead: they never end a step.
    """
    if not 1 <= len(name) <= 200:
        raise ValueError(f"Expected the name of a metric to have 1 to 200 characters, got {len(name)}.")
    number = float(value)
    if not math.isfinite(number):
        log(
            "warn",
            f"Metric `{name}` is {number}: not recorded.",
            **({} if index is None else {"index": int(index)}),
        )
        return
    event: dict[str, Any] = {"type": "metric", "name": name, "value": number}
    if index is not None:
        event["index"] = int(index)
    _append(event)


def progress(fraction: float, message: str | None = None) -> None:
    """Tells how much of the step is done, 0 to 1 (what lies outside is clamped), and what it does now."""
    number = float(fraction)
    if math.isnan(number):
        raise ValueError("Expected the fraction of `progress` to be a number from 0 to 1, got nan.")
    event: dict[str, Any] = {"type": "progress", "fraction": min(1.0, max(0.0, number))}
    if message is not None:
        event["message"] = str(message)
    _append(event)


def log(level: str, text: str, **fields: Any) -> None:
    """Writes a message with fields to the run's events. What the step prints is kept too, as plain text."""
    if level not in LEVELS:
        raise ValueError(f"Expected the level of `log` to be one of {', '.join(LEVELS)}, got {level!r}.")
    event: dict[str, Any] = {"type": "message", "level": level, "text": str(text)}
    if fields:
        event["fields"] = {name: _loose(value, name) for name, value in fields.items()}
    _append(event)


def secret(name: str) -> str:
    """Value of a secret that the step declares."""
    try:
        return (_folder() / "secrets" / name).read_text("utf-8")
    except FileNotFoundError:
        raise KeyError(
            f"This step has no secret {name!r}: add it to `secrets` where the step is declared."
        ) from None


def save_checkpoint(state: Any) -> None:
    """Keeps one object, pickled, for the next attempt: `load_checkpoint` gives it. Whole or not at all."""
    with writing_checkpoint() as target:
        with open(target / STATE_FILE, "wb") as file:
            pickle.dump(state, file, protocol=pickle.HIGHEST_PROTOCOL)


def load_checkpoint(default: Any = None) -> Any:
    """What `save_checkpoint` kept last, in this attempt or an earlier one; `default` where nothing was kept."""
    last = last_checkpoint()
    if last is None:
        return default
    with open(last / STATE_FILE, "rb") as file:
        return pickle.load(file)


@contextmanager
def writing_checkpoint() -> Iterator[Path]:
    """Gives an empty folder to write to, which takes the place of the last checkpoint at the end of the `with` block.

        with millrace.writing_checkpoint() as folder:
            torch.save(model.state_dict(), folder / "model.pt")

    A program that is killed meanwhile, or an exception in the block, leaves the last one as it was. Of several processes
    of a step one may do this.
    """
    place = _checkpoint()
    own = f".{_identity('MILLRACE_ATTEMPT', '1')}-"
    draft = Path(tempfile.mkdtemp(prefix=own, dir=place))
    try:
        yield draft
        _sync(draft)
        with _checkpoint_lock:
            older = _checkpoints(place)
            os.rename(draft, place / f"{int(older[-1].name) + 1 if older else 1:08d}")
            left = [each for each in place.glob(".*-*") if not each.name.startswith(own)]
            for each in [*older, *left]:
                shutil.rmtree(each, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def last_checkpoint() -> Path | None:
    """Folder of the last checkpoint that is whole, of this attempt or an earlier one; None where there is none."""
    found = _checkpoints(_checkpoint())
    return found[-1] if found else None


def stopping() -> bool:
    """Whether the step is to end: it was cancelled, is over its time, or its machine goes away.

    It then has the step's `stopGrace` (10 s) to save a checkpoint and leave; its result counts no more. From the first
    call on, which the main thread makes, SIGTERM does not end the program by itself: ask again and again.

        if millrace.stopping():
            millrace.leave()
    """
    if not _listening and threading.current_thread() is threading.main_thread():
        _listen()
    return _stop.is_set()


def leave() -> NoReturn:
    """Ends the step because it was told to, as `stopping` says: it has not failed.

    Where its machine goes away another attempt goes on from the checkpoint, and none of the step's own attempts is used up.
    With any other exit code than this one's the step would have failed.
    """
    print("stopped", file=sys.stderr, flush=True)
    _end(STOPPED)


def fail(message: str, retryable: bool = True) -> NoReturn:
    """Ends the step as failed, with the reason people will read.

    `retryable=False` says that another attempt would fail alike, as when the data are wrong: there will be none.
    """
    _append({"type": "failure", "message": str(message), "retryable": bool(retryable)})
    print(message, file=sys.stderr, flush=True)
    _end(1 if retryable else NON_RETRYABLE)


def __getattr__(name: str) -> Any:
    if name == "inputs":
        return _read_inputs()
    if name == "folder":
        return _folder()
    if name == "checkpoint":
        return _checkpoint()
    if name == "attempt":
        return int(_identity("MILLRACE_ATTEMPT", "1"))
    if name == "run":
        return _identity("MILLRACE_RUN", "local")
    if name == "step":
        return _identity("MILLRACE_STEP", "local")
    raise AttributeError(f"module 'millrace' has no attribute {name!r}")


_output_lock = threading.Lock()
_checkpoint_lock = threading.Lock()
_stop = threading.Event()
_listening = False
_read: dict[Path, Inputs] = {}


def _end(code: int) -> NoReturn:
    if threading.current_thread() is not threading.main_thread():
        # SystemExit would end this thread alone.
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def _folder() -> Path:
    value = os.environ.get("MILLRACE_DIR")
    if not value:
        raise NotInStep(
            "This code runs in a step of a Millrace pipeline: MILLRACE_DIR, the step's folder, is not set. "
            "Start it with `millrace run`; to try it alone, set MILLRACE_DIR to a folder with an input.json."
        )
    return Path(value)


def _checkpoint() -> Path:
    path = _folder() / "checkpoint"
    path.mkdir(exist_ok=True)
    return path


def _checkpoints(place: Path) -> list[Path]:
    """Those that are whole, the last one last."""
    return sorted((each for each in place.iterdir() if each.name.isdigit()), key=lambda each: int(each.name))


def _sync(folder: Path) -> None:
    """Puts files on the disk before they get their name: a machine that loses its power must not leave empty ones."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(parent, name), "rb") as file:
                os.fsync(file.fileno())


def _listen() -> None:
    global _listening
    before = signal.getsignal(signal.SIGTERM)

    def on_term(number: int, frame: Any) -> None:
        _stop.set()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, on_term)
    _listening = True


def _identity(variable: str, alone: str) -> str:
    _folder()
    return os.environ.get(variable) or alone


def _read_inputs() -> Inputs:
    folder = _folder()
    if folder not in _read:
        try:
            text = (folder / "input.json").read_text("utf-8")
        except FileNotFoundError:
            raise NotInStep(f"MILLRACE_DIR is {folder}, but no input.json lies there.") from None
        _read[folder] = Inputs({name: _local(value, folder) for name, value in json.loads(text).items()})
    return _read[folder]


def _local(value: Any, folder: Path) -> Any:
    if isinstance(value, list):
        return [_local(item, folder) for item in value]
    if not isinstance(value, dict):
        return value
    if "$artifact" in value and "path" in value:
        return folder / value["path"]
    return Inputs({name: _local(item, folder) for name, item in value.items()})


def _unknown_input(name: str, known: dict[str, Any]) -> str:
    return f"No input {name!r}; there are: {', '.join(map(str, known)) or 'none'}."


def _append(event: dict[str, Any]) -> None:
    event["at"] = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = _line(event)
    if len(line) > LINE_LIMIT:
        line = _line(_shortened(event))
    # One write to a file opened for appending: lines of threads and processes do not mix.
    descriptor = os.open(_folder() / "events.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def _line(event: dict[str, Any]) -> bytes:
    # ASCII: escapes keep lone surrogates, as in undecodable file names, from failing to encode.
    return (json.dumps(event, allow_nan=False) + "\n").encode("ascii")


def _shortened(event: dict[str, Any]) -> dict[str, Any]:
    short = {key: value for key, value in event.items() if key != "fields"}
    for key in ("name", "text", "message"):
        # A character takes at most 12 bytes as JSON escapes.
        if key in short and len(short[key]) > 5_000:
            short[key] = short[key][:5_000] + "…"
    return short


def _plain(value: Any, where: str) -> Any:
    """The value as JSON can hold it, exactly; raises where it cannot."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        if abs(value) > SAFE_INTEGER:
            raise ValueError(
                f"Output `{where}` is {value}: integers beyond 2^53 - 1 lose digits in JSON; give it as text."
            )
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(
                f"Output `{where}` is {float(value)}: JSON has no such number; give a finite one or None."
            )
        return float(value)
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"Output `{where}` has the key {key!r}: keys of JSON objects are text.")
        return {key: _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}.{index}") for index, item in enumerate(value)]
    if isinstance(value, os.PathLike):
        raise TypeError(
            f"Output `{where}` is a path: an artifact is what you write to `millrace.out({where!r})`."
        )
    # numpy scalars and arrays of any shape, without importing numpy.
    if callable(getattr(value, "tolist", None)):
        return _plain(value.tolist(), where)
    if callable(getattr(value, "item", None)):
        return _plain(value.item(), where)
    raise TypeError(
        f"Output `{where}` is of type {type(value).__name__}: give text, numbers, booleans, None, lists or dicts."
    )


def _loose(value: Any, where: str) -> Any:
    """The value for a message: what JSON cannot hold, as text."""
    try:
        return _plain(value, where)
    except (TypeError, ValueError):
        return str(value)
