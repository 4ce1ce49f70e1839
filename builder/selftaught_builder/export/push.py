"""Publishing a version on the Hugging Face Hub: a folder upload in one commit, and a tag."""

from __future__ import annotations

from pathlib import Path

from selftaught_builder.common.errors import InputError, SelftaughtError


def files_of(version: Path) -> list[tuple[str, int]]:
    """Return the files that a version consists of, with their sizes in bytes.

    Raises:
        InputError: the folder is no dataset version.
    """
    files = [version / "README.md", *sorted((version / "data").glob("*.parquet"))]
    if len(files) < 2 or not all(file.is_file() for file in files):
        raise InputError("not a dataset version", place=version, mend="Name a folder that `selftaught export` made.")
    return [(str(file.relative_to(version)), file.stat().st_size) for file in files]


def push_version(version: Path, repo: str, *, private: bool = False) -> str:
    """Upload a version as one commit and tag it with the version's name; return the commit's address.

    The token is huggingface_hub's own business (HF_TOKEN, or a login); it is neither read nor stored here.

    Raises:
        InputError: no version there, or the hub refuses repository or token.
        SelftaughtError: the hub cannot be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    names = [name for name, _ in files_of(version)]
    api = HfApi(library_name="selftaught")
    try:
        api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo,
            repo_type="dataset",
            folder_path=version,
            allow_patterns=names,
            delete_patterns=["data/*.parquet"],
            commit_message=version.name,
        )
        api.create_tag(repo, repo_type="dataset", tag=version.name, revision=commit.oid, exist_ok=True)
    except (HfHubHTTPError, HFValidationError) as error:
        first = str(error).strip().splitlines()[0]
        raise InputError(first, place=repo, mend="Check OWNER/NAME, and that HF_TOKEN may write there.") from None
    except Exception as error:  # the transport's errors are httpx's or httpx2's, by huggingface_hub's release
        raise SelftaughtError(
            f"{repo}: the hub cannot be reached: {error}\n  Nothing was published; try again."
        ) from None
    return commit.commit_url
