"""``mynah serve MODEL``: a recognizer behind OpenAI's protocol."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from mynah.cli.shared.exit_status import exit_status
from mynah.cli.shared.parser import CommandParser

_COMMAND = "mynah serve"
_MODULES = ("starlette", "uvicorn", "python_multipart", "prometheus_client")
_EPILOG = """\
It answers POST /v1/audio/transcriptions and GET /v1/models as OpenAI does, so that its client
libraries work with base_url=http://127.0.0.1:8000/v1; GET /health and GET /metrics (Prometheus).

examples:
  mynah serve outputs/model
  mynah serve outputs/model --port 9000 --name whisper-1
  mynah serve outputs/model --host 0.0.0.0 --token-file token.txt
  mynah serve outputs/model model.language_model=none

  curl http://127.0.0.1:8000/v1/audio/transcriptions -F model=model -F file=@call.wav
"""


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal comes.

    Returns:
        The exit status (see ``mynah.cli.shared.exit_status``).
    """
    parsed = parser().parse_intermixed_args(arguments)
    return exit_status(lambda: _serve(parsed))


def _serve(parsed: argparse.Namespace) -> None:
    from mynah.errors import UserError

    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"A server needs packages that are not installed: {', '.join(missing)}.",
            where=_COMMAND,
            fix='pip install "mynah-asr[serve]"',
        )

    from mynah.serving import server
    from mynah.serving.options import MEBIBYTE, ServingOptions

    token = None if parsed.token_file is None else server.read_token(parsed.token_file)
    server.check_open(parsed.host, token, is_open=parsed.open)
    options = ServingOptions(
        names=tuple(parsed.name or [server.served_name(parsed.model)]),
        host=parsed.host,
        port=parsed.port,
        token=token,
        queue=parsed.queue,
        batch_size=parsed.batch_size,
        most_bytes=round(parsed.max_megabytes * MEBIBYTE),
        most_seconds=60 * parsed.max_minutes,
        upload_seconds=parsed.upload_timeout,
        request_seconds=parsed.timeout,
    )
    model = server.ModelRequest(
        parsed.model,
        settings=parsed.settings,
        revision=parsed.revision,
        offline=parsed.offline,
        device=parsed.device,
        aligner=parsed.aligner,
    )
    server.serve(model, options)


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = CommandParser(
        prog=_COMMAND,
        allow_abbrev=False,
        description="Serve a model through OpenAI's transcription API.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )
    add = made.add_argument
    add("model", help="a checkpoint, a run's directory, a folder, or a name of the hub")
    add("settings", nargs="*", metavar="KEY=VALUE", help="settings of decoding (model.beam_size=4)")
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="default: this machine alone")
    add("--port", type=_port, default=8000, metavar="NUMBER", help="default: 8000; 0: any free")
    add(
        "--name",
        action="append",
        metavar="NAME",
        help="what clients call the model (default: its own name); may be given again",
    )
    add("--token-file", type=Path, metavar="FILE", help="holds what clients have to send as key")
    add("--open", action="store_true", help="no token, though other machines can connect")
    add("--queue", type=_count, default=64, help="requests at once; one more gets 503 (64)")
    add("--batch-size", type=_count, default=16, help="clips decoded together, at most (16)")
    add("--max-megabytes", type=_positive, default=25.0, help="of one request (25)")
    add("--max-minutes", type=_positive, default=120.0, help="of one recording (120)")
    add("--upload-timeout", type=_positive, default=60.0, help="seconds to send a request (60)")
    add("--timeout", type=_positive, default=600.0, help="seconds from there to its answer (600)")
    add("--aligner", metavar="NAME", help="a CTC model to time the words of a model that does not")
    add("--revision", metavar="NAME", help="branch, tag or commit of a hub model")
    add("--device", metavar="NAME", help="as cpu or cuda:0; default: an accelerator")
    add("--offline", action="store_true", help="use nothing that is not on this machine")
    return made


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number
