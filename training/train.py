"""Train the structure network and export it to ONNX.

    python -m training.train LABELS_DIR OUT.onnx --minutes 90 [--threads 2] [--resume STATE.pt]

LABELS_DIR holds 1 mm label maps in FreeSurfer numbering with extra-cerebral labels from 500 up
(https://github.com/BBillot/SynthSeg, Apache-2.0).  The result is what
`pipeline/graytrace/engines/embedded/weights/` ships.
"""

from __future__ import annotations

import argparse
import queue
import threading
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from graytrace.algorithms.structures import STRUCTURES, VOXEL_MM, normalize_intensities
from training.network import StructureNet
from training.synthesis import draw_phantom_head, load_head, synthesize

SHAPE = (80, 96, 80)  # structures._TRAINED_SHAPE


def soft_dice_loss(probability: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    overlap = 2 * (probability * target).sum((2, 3, 4))
    total = (probability**2 + target**2).sum((2, 3, 4))
    return 1 - ((overlap + 10) / (total + 10)).mean()


def samples(heads, seed, out: queue.Queue) -> None:
    rng = np.random.default_rng(seed)
    while True:
        image, share = synthesize(heads[rng.integers(len(heads))], SHAPE, VOXEL_MM, rng)
        out.put((normalize_intensities(image), share))


def export(model: nn.Module, path: Path) -> None:
    model.eval()
    axes = {k: {2: "x", 3: "y", 4: "z"} for k in ("image", "logits")}
    torch.onnx.export(
        model,
        (torch.zeros(1, 1, *SHAPE),),
        path,
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )
    model.train()


def halve(path: Path) -> None:
    """Store large weights in half precision; the network still computes in single precision."""
    graph_model = onnx.load(path)
    graph = graph_model.graph
    casts = []
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < 1000:
            continue
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), tensor.name + "_half"))
        casts.append(helper.make_node("Cast", [tensor.name + "_half"], [tensor.name], to=TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend(casts + nodes)
    onnx.checker.check_model(graph_model)
    onnx.save(graph_model, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--phantoms", type=int, default=2, help="heads drawn from the project's phantoms")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", type=Path)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    heads = [load_head(p) for p in sorted(args.labels.glob("*.nii.gz"))]
    heads += [draw_phantom_head(900 + number) for number in range(args.phantoms)]
    model = StructureNet(len(STRUCTURES))
    if args.resume:
        model.load_state_dict(torch.load(args.resume))
    model = model.to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.rate, weight_decay=1e-4)
    ready: queue.Queue = queue.Queue(4)
    threading.Thread(target=samples, args=(heads, args.seed, ready), daemon=True).start()
    start, step, losses = time.monotonic(), 0, []
    while (done := (time.monotonic() - start) / 60 / args.minutes) < 1:
        # the schedule follows the clock, so that a slow machine ends with a small rate as well
        for group in optimizer.param_groups:
            group["lr"] = args.rate * min(1, (step + 1) / 50) * max(0.5 * (1 + np.cos(np.pi * done)), 0.005)
        image, share = ready.get()
        image = torch.from_numpy(image)[None, None]
        share = torch.from_numpy(share)[None]
        logits = model(image)
        loss = -(share * logits.log_softmax(1)).sum(1).mean() + soft_dice_loss(logits.softmax(1), share)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        step += 1
        losses.append(float(loss.detach()))
        if step % 20 == 0:
            minutes = (time.monotonic() - start) / 60
            print(f"step {step}  {minutes:.1f} min  loss {np.mean(losses[-20:]):.3f}", flush=True)
        if step % 200 == 0:
            torch.save(model.state_dict(), args.out.with_suffix(".pt"))
            export(model, args.out)
    torch.save(model.state_dict(), args.out.with_suffix(".pt"))
    export(model, args.out)
    halve(args.out)


if __name__ == "__main__":
    main()
