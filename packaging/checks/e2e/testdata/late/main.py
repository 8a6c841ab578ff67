"""The user's backend as it often dies: both OpenMP runtimes are loaded from the start, and the second one goes to work only when a
request needs it."""
import ctypes
import importlib.util
import os
from contextlib import asynccontextmanager

import faiss
import numpy as np
from fastapi import FastAPI

WIDTH = 64
ctypes.CDLL(os.path.join(os.path.dirname(importlib.util.find_spec("torch").origin), "lib", "libomp.so"))  # as `import torch` loads it
kept = []


@asynccontextmanager
async def lifespan(app):
    app.state.index = faiss.IndexFlatL2(WIDTH)
    app.state.index.add(np.random.default_rng(7).random((5000, WIDTH), dtype="float32"))
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health():
    return {"ok": True}


@app.get("/search")
async def search(seed: int = 0, megabytes: int = 0):
    if megabytes:  # what a leaking cache does
        kept.append(np.ones(megabytes << 17))
    asked = np.random.default_rng(seed).random((512, WIDTH), dtype="float32")
    return app.state.index.search(asked, 5)[1].tolist()


def embed(text):
    import torch
    return {"text": text, "threads": torch.threads()}


@app.get("/embed")
async def answer(text: str = ""):
    return embed(text)
