# Mynah with Whisper tiny.en and pauses found by Silero VAD; nothing is downloaded when it runs.
#
#   docker build --tag mynah .
#   docker build --tag mynah:cuda --build-arg TORCH=cu130 .
#   docker run --rm --volume "$PWD:/work" mynah transcribe call.wav
#   docker run --rm --volume "$PWD:/work" --gpus all mynah:cuda train data.dataset_name=./recordings
#
# TORCH is the folder of https://download.pytorch.org/whl that torch is from: cpu, cu126, cu130, …
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
ARG TORCH=cpu
ARG EXTRAS=base,speech,transcribe
WORKDIR /source
COPY constraints.txt ./
# Of torch 2.x and torch 2.x+cpu pip takes the second, which is on the extra index alone.
RUN python -m venv /opt/mynah \
    && /opt/mynah/bin/pip install --no-cache-dir --constraint constraints.txt \
      --extra-index-url "https://download.pytorch.org/whl/${TORCH}" torch
COPY pyproject.toml README.md LICENSE ./
COPY configs ./configs
COPY src ./src
RUN /opt/mynah/bin/pip install --no-cache-dir --constraint constraints.txt ".[${EXTRAS}]"

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.source="https://github.com/mynah-asr/mynah" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/mynah /opt/mynah
# Nobody's rights but its own; files in a mounted folder belong to who runs it with --user.
RUN useradd --create-home --uid 1000 mynah && mkdir /work && chown mynah /work
USER 1000
ENV PATH=/opt/mynah/bin:$PATH
WORKDIR /work
ENTRYPOINT ["mynah"]
CMD ["--help"]
