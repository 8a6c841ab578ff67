"""The user's backend, small: FastAPI, a FAISS index, and a second OpenMP runtime that comes with `import torch`."""
import os
import signal
import time
from contextlib import asynccontextmanager

import faiss
import numpy as np
import torch
from fastapi import FastAPI

SIZE, WIDTH = 5000, 64
vectors = np.random.default_rng(7).random((SIZE, WIDTH), dtype="float32")


@asynccontextmanager
async def lifespan(app):
    index = faiss.IndexFlatL2(WIDTH)
    index.add(vectors)
    index.search(vectors[:64], 1)  # warm up: here FAISS starts its OpenMP runtime
    app.state.index = index
    with open("lives", "a") as f:
        f.write("%d %d\n" % (os.getpid(), time.monotonic_ns()))
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
def health():
    return {"ok": True, "threads": [faiss.omp_get_max_threads(), torch.threads()]}


@app.get("/pid")
def pid():
    return {"pid": os.getpid(), "parent": os.getppid()}


@app.get("/search")
def search(k: int = 5, seed: int = 0):
    """FAISS's answer to 64 questions, and that of plain numpy."""
    asked = np.random.default_rng(seed).random((64, WIDTH), dtype="float32")
    _, found = app.state.index.search(asked, k)
    far = (asked**2).sum(1)[:, None] - 2 * asked @ vectors.T + (vectors**2).sum(1)[None, :]
    return {"faiss": found.tolist(), "numpy": np.argsort(far, 1, kind="stable")[:, :k].tolist()}


@app.get("/crash")
def crash(how: str = "SIGSEGV"):
    os.kill(os.getpid(), getattr(signal, how))
