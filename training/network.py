"""A small U-Net that works at half the sampling of its input: cheap on a processor, sharp at the borders."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn


def block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, padding=1, bias=False),
        nn.InstanceNorm3d(outputs, affine=True),
        nn.LeakyReLU(0.1, inplace=True),
    )


def space_to_depth(x: torch.Tensor) -> torch.Tensor:
    """(B, C, X, Y, Z) to (B, 8 C, X/2, Y/2, Z/2)."""
    b, c, nx, ny, nz = x.shape
    x = x.reshape(b, c, nx // 2, 2, ny // 2, 2, nz // 2, 2)
    return x.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(b, c * 8, nx // 2, ny // 2, nz // 2)


def depth_to_space(x: torch.Tensor) -> torch.Tensor:
    """The inverse of `space_to_depth`."""
    b, c, nx, ny, nz = x.shape
    x = x.reshape(b, c // 8, 2, 2, 2, nx, ny, nz)
    return x.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(b, c // 8, nx * 2, ny * 2, nz * 2)


class StructureNet(nn.Module):
    """Image (B, 1, X, Y, Z), sides multiples of 16, to structure logits (B, classes, X, Y, Z).

    Features are added, not concatenated, on the way up: at the finest level a wide convolution costs most of a step.
    """

    def __init__(self, classes: int, widths: tuple[int, ...] = (32, 64, 96, 96)) -> None:
        super().__init__()
        self.stem = block(8, widths[0])
        self.down = nn.ModuleList([nn.Sequential(block(a, b), block(b, b)) for a, b in pairwise(widths)])
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList([nn.Conv3d(a, 8 * b, 1) for a, b in pairs])
        self.merge = nn.ModuleList([nn.Sequential(block(b, b), block(b, b)) for _, b in pairs])
        self.head = nn.Conv3d(widths[0], classes * 8, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.stem(space_to_depth(image))
        skips = [x]
        for encoder in self.down:
            x = encoder(nn.functional.max_pool3d(x, 2))
            skips.append(x)
        for up, merge, skip in zip(self.up, self.merge, skips[-2::-1], strict=True):
            x = merge(skip + depth_to_space(up(x)))
        return depth_to_space(self.head(x))
