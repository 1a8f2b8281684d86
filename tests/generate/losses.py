"""Writes fixtures/ops/losses.safetensors: losses."""

import torch
import torch.nn.functional as F

from common import GENERATOR, case, random, save_operations


def losses():
    for rows, classes in [(4, 3), (1, 5), (5, 1), (7, 11), (2, 40), (0, 3)]:
        labels = torch.randint(classes, (rows,), generator=GENERATOR)
        f = lambda x: F.cross_entropy(x, labels)
        case("cross_entropy", f, random(rows, classes, low=-4, high=4), labels=labels.tolist())
    hard = torch.tensor([[1000.0, -1000.0, 0.0], [-1000.0, 1000.0, 999.0], [5.0, 5.0, 5.0]])
    case("cross_entropy", lambda x: F.cross_entropy(x, torch.tensor([0, 2, 1])), hard, labels=[0, 2, 1])
    for shape in [(5,), (3, 4), (2, 3, 2), ()]:
        x, t = random(*shape, low=-6, high=6), random(*shape, low=0, high=1)
        case("bce_with_logits", F.binary_cross_entropy_with_logits, x, t)
        case("mse_loss", F.mse_loss, x, t)
    case("half_mse_loss", lambda x, t: F.mse_loss(x, t) / 2, random(3, 4), random(3, 4))
    x, t = torch.tensor([1000.0, -1000.0, 1000.0, -1000.0, 0.0, 30.0]), torch.tensor([1.0, 0.0, 0.0, 1.0, 0.5, 0.25])
    case("bce_with_logits", F.binary_cross_entropy_with_logits, x, t)


if __name__ == "__main__":
    losses()
    save_operations("losses")
