"""``benchmarks/gpu_day.py``: every part runs at toy sizes, and its sums are those of torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import gpu_day_wheels
from gpu_day_parts.lines import Line, Lines, read_lines
from gpu_day_parts.processes import Child

BENCHMARKS = Path(gpu_day_wheels.__file__).parent
PARTS = {
    "machine", "models", "families", "utilisation", "resume", "pinned", "split", "auto", "ctc",
    "whisper", "loader", "compile",
}  # fmt: skip


def run(folder: Path, *options: str) -> tuple[int, dict, str]:
    """The program's exit status, what it wrote and what it printed."""
    words = [sys.executable, str(BENCHMARKS / "gpu_day.py"), "--toy", "--json", "day.json"]
    done = subprocess.run(
        [*words, *options], cwd=folder, capture_output=True, text=True, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return done.returncode, json.loads((folder / "day.json").read_text()), done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_part_runs_at_toy_sizes_and_what_it_expects_holds(tmp_path):
    status, found, printed = run(tmp_path)
    assert status == 0, printed
    assert set(found["parts"]) == PARTS and found["toy"] and not found["not_held"]
    for name, part in found["parts"].items():
        assert part["status"] == "done" and part["lines"], (name, part)
    lines = [line for part in found["parts"].values() for line in part["lines"]]
    assert found["held"] == sum(line["held"] is True for line in lines) > 50
    assert all(line["expected"] for line in lines if line["held"] is not None)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_four_bits_are_a_day_of_their_own_and_processes_may_start_from_nothing(tmp_path):
    status, found, printed = run(tmp_path, "--four-bit", "--spawn")
    assert status == 0, printed
    assert set(found["parts"]) == {"models", "4bit"} and found["spawned"]
    (line,) = found["parts"]["4bit"]["lines"]
    assert line["value"] == 2 and line["held"]


@pytest.mark.long
def test_a_part_that_takes_too_long_costs_itself_alone(tmp_path):
    options = ("--only", "machine,families,models", "--part-seconds", "8")
    status, found, printed = run(tmp_path, *options)
    assert status == 1 and "Not done: families" in printed
    ended = {name: part["status"] for name, part in found["parts"].items()}
    assert ended["families"] == "stopped after 8 seconds"
    assert ended["machine"] == ended["models"] == "done"


@pytest.mark.long
def test_the_operations_of_a_lora_step_are_those_that_torch_counts(tmp_path):
    """torch counts what runs; a frozen Llama with LoRA behind a trained layer, eager attention."""
    import torch
    from gpu_day_parts import flops
    from peft import LoraConfig, get_peft_model
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import LlamaConfig, LlamaForCausalLM

    rows, length, width, inner, layers, rank, vocabulary = 2, 24, 32, 80, 3, 4, 50
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=inner,
        num_hidden_layers=layers, num_attention_heads=4, num_key_value_heads=2,
        attn_implementation="eager",
    )  # fmt: skip
    model = get_peft_model(
        LlamaForCausalLM(config), LoraConfig(r=rank, target_modules="all-linear")
    )
    first = torch.nn.Linear(20, 16)  # a projector: what goes in is frozen
    second = torch.nn.Linear(16, width)
    frames = torch.randn(rows, length, 20)
    with FlopCounterMode(display=False) as counter:
        hidden = second(first(frames))
        model(inputs_embeds=hidden, use_cache=False).logits.sum().backward()
    step = flops.LoraStep(
        encoder=flops.whisper_layers(0, 20, 0), stem=0,
        language_model=flops.llama_layers(layers, width, inner, width // 2),
        vocabulary=vocabulary, lora=flops.lora_weights(layers, width, inner, width // 2, rank),
        stack=1, projector=16,
    )  # fmt: skip
    counted = counter.get_total_flops()
    found = step.flops(rows=rows, frames=length, length=length, scored=length)
    assert found == pytest.approx(counted, rel=0.01)


@pytest.mark.long
def test_the_operations_of_a_whisper_encoder_are_those_that_torch_counts():
    import torch
    from gpu_day_parts import flops
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = WhisperConfig(
        d_model=32, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=96,
        max_source_positions=50, attn_implementation="eager",
    )  # fmt: skip
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        WhisperEncoder(config)(torch.randn(2, 80, 100))
    layers, stem = flops.whisper_layers(2, 32, 96), 2 * 3 * 80 * 32 + 3 * 32 * 32
    rows, frames = 2, 50
    found = layers.linear(rows * frames, flops.FORWARD) + layers.attention(rows, frames, 1)
    found += flops.FORWARD * stem * rows * frames
    assert found == pytest.approx(counter.get_total_flops(), rel=0.01)


def test_the_peak_of_a_gpu_is_found_by_its_name():
    from gpu_day_parts.flops import peak_of

    assert peak_of("NVIDIA H100 80GB HBM3") == 989e12  # the vendor's data sheets
    assert peak_of("NVIDIA H100 PCIe") == 756e12
    assert peak_of("NVIDIA A100-SXM4-80GB") == 312e12
    assert peak_of("Some other GPU") is None


def test_lines_are_read_while_they_are_written(tmp_path):
    file = tmp_path / "lines.jsonl"
    assert read_lines(file) == []
    lines = Lines(file)
    lines.figure("a step", 12.5, "ms")
    assert not lines.check("exact", False, expected="True", held=False)
    with file.open("a") as half:
        half.write('{"what": "in the mid')
    found = read_lines(file)
    assert found == [Line("a step", 12.5, "ms"), Line("exact", False, "", "True", False)]
    assert "NOT" in found[1].row() and "12.5 ms" in found[0].row()


def test_a_process_that_does_not_end_is_ended_with_what_it_started(tmp_path):
    other = tmp_path / "other"

    def wait() -> int:
        started = subprocess.Popen(["sleep", "60"])
        other.write_text(str(started.pid))
        time.sleep(60)
        return 0

    child = Child(tmp_path, tmp_path / "printed.txt", act=wait)
    assert not child.wait(0.3)
    assert child.status == -signal.SIGKILL
    state = Path(f"/proc/{other.read_text()}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_what_the_list_of_a_box_does_not_satisfy_is_gathered_with_what_it_needs():
    box = gpu_day_wheels.read_box("# a box\nnumpy\nOmegaConf==2.0.0\npyyaml==6.0.2\n\n")
    assert box == {"numpy": None, "omegaconf": "2.0.0", "pyyaml": "6.0.2"}
    found = gpu_day_wheels.needed(
        ["omegaconf>=2.3.1", "numpy>=2", "nothing; python_version < '3.11'"], box, python="3.12"
    )
    # omegaconf's own metadata: antlr4-python3-runtime ==4.9.*, PyYAML >=5.1.0
    assert set(found.gathered) == {"omegaconf", "antlr4-python3-runtime"}
    assert found.gathered["omegaconf"] == "==2.3.1" and found.present == {"numpy", "pyyaml"}


def test_an_archive_over_the_limit_is_refused_and_not_written(tmp_path, capsys):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "big-1-py3-none-any.whl").write_bytes(bytes(3 << 20))
    target = tmp_path / "day.tar"
    with pytest.raises(gpu_day_wheels.Refused, match="is more than 3 MiB"):
        gpu_day_wheels.pack(wheels, target, limit_mib=3)
    assert not target.exists() and "3.00 MiB  big-1" in capsys.readouterr().out
    gpu_day_wheels.pack(wheels, target, limit_mib=4)
    with tarfile.open(target) as archive:
        names = set(archive.getnames())
    assert {"gpu_day/run.sh", "gpu_day/benchmarks/gpu_day.py", "gpu_day/tests/standins.py"} <= names


def test_of_a_wheel_only_the_libraries_for_the_box_s_cuda_are_kept(tmp_path):
    wheel = tmp_path / "bitsandbytes-1-py3-none-any.whl"
    libraries = ("cpu", "cuda118", "cuda130", "cuda132", "rocm64", "xpu2025")
    names = [f"bitsandbytes/libbitsandbytes_{one}.so" for one in libraries]
    with zipfile.ZipFile(wheel, "w") as made:
        for name in (*names, "bitsandbytes/__init__.py"):
            made.writestr(name, "content")
        record = "".join(f"{name},,\n" for name in names) + "bitsandbytes/__init__.py,,\n"
        made.writestr("bitsandbytes-1.dist-info/RECORD", record)
    gpu_day_wheels.keep_for_cuda(wheel, "13")
    with zipfile.ZipFile(wheel) as kept:
        recorded = kept.read("bitsandbytes-1.dist-info/RECORD").decode()
        found = [name for name in kept.namelist() if name.endswith(".so")]
    assert found == [names[0], names[2], names[3]]
    assert [line for line in recorded.split(",,\n") if line.endswith(".so")] == found
