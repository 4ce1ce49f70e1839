"""Questions through Hugging Face `datasets`: a data set of the hub, or a folder of data files on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selftaught_builder.common.errors import QuestionError
from selftaught_builder.questions.rows import NumberedRows

_LOCAL_MEND = "Where the hub is out of reach, read a local copy: --questions FILE (.jsonl, .csv, .parquet or a folder)."


@dataclass(frozen=True, slots=True)
class HubName:
    """A data set of the hub: `hf://OWNER/NAME[/CONFIG][@REVISION]`."""

    repository: str
    config: str | None
    revision: str | None


def parse_hub_name(source: str) -> HubName:
    """Split an `hf://` source into repository, config and revision.

    Raises:
        QuestionError: it is not of that form.
    """
    name, _, revision = source.removeprefix("hf://").partition("@")
    parts = name.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        mend = "Write hf://OWNER/NAME, hf://OWNER/NAME/CONFIG or either with @REVISION."
        raise QuestionError(f"`{source}` names no data set of the hub", place="questions.source", mend=mend)
    return HubName("/".join(parts[:2]), parts[2] if len(parts) == 3 else None, revision or None)


def read_hub(source: str, split: str | None) -> NumberedRows:
    """Yield (row number, row) of a hub data set, streamed; with HF_HUB_OFFLINE=1, of its copy in the local cache.

    Raises:
        QuestionError: no such data set, config, revision or split, no access, or no network.
    """
    name = parse_hub_name(source)
    import datasets
    import huggingface_hub

    try:
        _reach(name)
        # The cache holds prepared splits, which only plain loading finds.
        streaming = not huggingface_hub.constants.HF_HUB_OFFLINE
        found = datasets.load_dataset(
            name.repository, name.config, revision=name.revision, split=split, streaming=streaming
        )
        yield from enumerate(_one_split(found, source), start=1)
    except QuestionError:
        raise
    except Exception as error:  # the hub, the network and every file format raise their own classes
        raise QuestionError(_in_short(error), place=source, mend=_mend(error)) from None


def _reach(name: HubName) -> None:
    """Ask the hub for the data set once: without a network, loading alone would retry for half a minute."""
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    if huggingface_hub.constants.HF_HUB_OFFLINE:
        return
    try:
        huggingface_hub.HfApi().dataset_info(name.repository, revision=name.revision, timeout=20)
    except HfHubHTTPError:
        raise
    except Exception as error:
        raise QuestionError(
            f"the hub is out of reach: {error}", place=f"hf://{name.repository}", mend=_LOCAL_MEND
        ) from None


def read_folder(folder: Path, split: str | None) -> NumberedRows:
    """Yield (row number, row) of a folder that `datasets` understands: data files, or what `save_to_disk` wrote.

    Raises:
        QuestionError: nothing readable in it, or no such split.
    """
    import datasets

    saved = (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file()
    try:
        if saved:
            found = _pick(datasets.load_from_disk(str(folder)), split)
        else:
            found = datasets.load_dataset(str(folder), split=split, streaming=True)
        yield from enumerate(_one_split(found, str(folder)), start=1)
    except QuestionError:
        raise
    except Exception as error:
        mend = "Check the folder; files named one by one (FOLDER/*.jsonl) are read row by row, broken rows skipped."
        raise QuestionError(_in_short(error), place=folder, mend=mend) from None


def _pick(found: Any, split: str | None) -> Any:
    if split is None or not isinstance(found, dict):
        return found
    if split not in found:
        raise ValueError(f"Bad split: {split}. Available splits: {sorted(found)}")
    return found[split]


def _one_split(found: Any, source: str) -> Iterator[dict[str, Any]]:
    if not isinstance(found, dict):
        return iter(found)
    if len(found) == 1:
        return iter(next(iter(found.values())))
    mend = f"Set `questions.split` to one of: {', '.join(found)}."
    raise QuestionError("there are several splits", place=source, mend=mend)


def _in_short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:400]


def _mend(error: Exception) -> str:
    text = str(error)
    if "Config name is missing" in text or "BuilderConfig" in text:
        return "Name the config in the source: hf://OWNER/NAME/CONFIG."
    if "split" in text.lower():
        return "Set `questions.split`."
    return f"Check the name, the revision and your access (`hf auth login`). {_LOCAL_MEND}"
