"""PyTorch's eager loop over tensors in memory: faster than over a DataLoader, which most would write."""

import sys
import time

import numpy as np
import torch  # pyright: ignore[reportMissingImports] (comes from another interpreter)
from torch import nn  # pyright: ignore[reportMissingImports]

from bench.peers.protocol import serve

BATCH = 128


def mlp() -> nn.Module:
    """784-256-128-10."""
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))


def cnn() -> nn.Module:
    """Three blocks of convolution and pooling with 16, 32 and 64 channels, and one dense layer."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(576, 10))


def squared_error(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Sum over the outputs, mean over the batch."""
    return ((out - y) ** 2).sum(1).mean()


def main() -> None:
    kind = sys.argv[2]
    with np.load(sys.argv[1]) as arrays:
        x = torch.from_numpy(arrays["x_train"].astype("float32") / 255)
        labels = torch.from_numpy(arrays["y_train"].astype("int64"))
    if kind == "mlp":
        x, y, model, criterion = x.reshape(-1, 784), nn.functional.one_hot(labels, 10).float(), mlp(), squared_error
    else:
        x, y, model, criterion = x.unsqueeze(1), labels, cnn(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def train_epoch() -> float:
        began = time.perf_counter()
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            loss = criterion(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
        return time.perf_counter() - began

    serve(train_epoch, version=f"PyTorch {torch.__version__}")


if __name__ == "__main__":
    main()
