# Three images: `api` (no TensorFlow), `worker` (TensorFlow for CPUs), `worker-gpu` (TensorFlow and CUDA).
#
#   docker build --target api .
#
# The stages stand in the order of what they cost: the classic builder makes every stage above its
# target, so `api` never waits for TensorFlow and `worker` never for CUDA. BuildKit skips what it can.

# A registry's mirror, a digest, or an image of your own with your network's CA certificates.
ARG PYTHON_IMAGE=python:3.13-slim-trixie

# --- what every finished image starts from ------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS base
# /data belongs to the user here, so that a new volume mounted on it does too.
RUN groupadd --gid 10001 gradientd \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gradientd \
 && install --directory --owner=gradientd --group=gradientd /data
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONSAFEPATH=1 \
    GRADIENTD_DATA_DIR=/data \
    GRADIENTD_SECRETS_DIR=/run/secrets
WORKDIR /data

# --- where packages are installed ---------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS builder
# pip ignores an empty one.
ARG PIP_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_QUIET=1
# pip works on the venv from outside; the finished images carry none in it.
RUN python -m venv --without-pip /opt/venv
WORKDIR /build

# --- gradientd itself, alone in a venv that is laid over the one with its dependencies ------------------
FROM builder AS package
# The build backend at the version and with the hashes that the worker's requirements pin.
COPY requirements/worker.txt requirements.txt
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements.txt > backend.txt \
 && pip install --only-binary :all: --require-hashes --requirement backend.txt
COPY pyproject.toml README.md LICENSE ./
COPY jobs jobs
COPY store store
COPY api api
COPY worker worker
COPY gradientd gradientd
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && pip --python /opt/venv/bin/python install --no-deps --no-index dist/*.whl

# --- api ------------------------------------------------------------------------------------------------
FROM builder AS api-venv
COPY requirements/api.txt requirements.txt
RUN pip --python /opt/venv/bin/python install --only-binary :all: --require-hashes --requirement requirements.txt \
 && ! /opt/venv/bin/python -c "import tensorflow" 2>/dev/null

FROM base AS api
COPY --from=api-venv /opt/venv /opt/venv
COPY --from=package /opt/venv /opt/venv
USER 10001:10001
EXPOSE 8000
CMD ["python", "-m", "api"]

# --- worker ---------------------------------------------------------------------------------------------
FROM builder AS worker-venv
COPY requirements/worker.txt requirements.txt
# Dropped: C++ headers for building custom operations (289 MB) and libclang (62 MB), which TensorFlow
# requires and never imports. Everything else stays, byte code included: the root is read-only and a
# trainer's process starts often.
RUN pip --python /opt/venv/bin/python install --only-binary :all: --require-hashes --requirement requirements.txt \
 && cd /opt/venv/lib/python3.*/site-packages \
 && rm -r tensorflow/include clang

FROM base AS worker
COPY --from=worker-venv /opt/venv /opt/venv
COPY --from=package /opt/venv /opt/venv
USER 10001:10001
CMD ["python", "-m", "worker"]

# --- worker-gpu -----------------------------------------------------------------------------------------
FROM builder AS worker-gpu-venv
COPY requirements/worker-gpu.txt requirements.txt
RUN pip --python /opt/venv/bin/python install --only-binary :all: --require-hashes --requirement requirements.txt \
 && cd /opt/venv/lib/python3.*/site-packages \
 && rm -r tensorflow/include clang

FROM base AS worker-gpu
# CUDA comes with the wheels; from the host's driver the container needs its compute and utility parts.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    GRADIENTD_DEVICE=gpu
COPY --from=worker-gpu-venv /opt/venv /opt/venv
COPY --from=package /opt/venv /opt/venv
USER 10001:10001
CMD ["python", "-m", "worker"]
