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


REDUCTIONS = ("mean", "sum", "none")
SHAPES = [(3, 4), (), (0, 2)]


def distances():
    for reduction in REDUCTIONS:
        for shape in SHAPES:
            x, t = random(*shape), random(*shape)
            case("l1_loss", lambda x, t: F.l1_loss(x, t, reduction=reduction), x, t, reduction=reduction)
            case("mse_loss", lambda x, t: F.mse_loss(x, t, reduction=reduction), x, t, reduction=reduction)
            for size in (1.0, 0.25):
                f = lambda x, t: F.smooth_l1_loss(x, t, reduction=reduction, beta=size)
                case("smooth_l1_loss", f, x, t, reduction=reduction, beta=size)
                f = lambda x, t: F.huber_loss(x, t, reduction=reduction, delta=size)
                case("huber_loss", f, x, t, reduction=reduction, delta=size)
        x, t = torch.tensor([1.0, 2.0, 3.0, 0.5]), torch.tensor([1.0, 1.0, 5.0, 1.0])
        case("l1_loss", lambda x, t: F.l1_loss(x, t, reduction=reduction), x, t, reduction=reduction)
        case("smooth_l1_loss", lambda x, t: F.smooth_l1_loss(x, t, reduction=reduction), x, t, reduction=reduction, beta=1.0)
        case("smooth_l1_loss", lambda x, t: F.smooth_l1_loss(x, t, reduction=reduction, beta=0.0), x, t, reduction=reduction, beta=0.0)
        case("huber_loss", lambda x, t: F.huber_loss(x, t, reduction=reduction), x, t, reduction=reduction, delta=1.0)


def binary():
    for reduction in REDUCTIONS:
        for shape in [(5,), (2, 1, 3)]:
            x, t, w = random(*shape, low=-6, high=6), random(*shape, low=0, high=1), random(shape[-1], low=0.25, high=2)
            f = lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction=reduction)
            case("bce_with_logits", f, x, t, reduction=reduction)
            f = lambda x, t, w: F.binary_cross_entropy_with_logits(x, t, weight=w.detach(), reduction=reduction) + 0 * w.sum()
            case("bce_with_logits", f, x, t, w, reduction=reduction, weights="w")
            f = lambda x, t, p: F.binary_cross_entropy_with_logits(x, t, pos_weight=p.detach(), reduction=reduction) + 0 * p.sum()
            case("bce_with_logits", f, x, t, w, reduction=reduction, weights="p")
            p = random(*shape, low=1 / 64, high=1)
            p = (p.abs() * 15 / 16).clamp(1 / 64, 1).float().double()
            case("bce_loss", lambda x, t: F.binary_cross_entropy(x, t, reduction=reduction), p, t, reduction=reduction)
            f = lambda x, t, w: F.binary_cross_entropy(x, t, weight=w.detach(), reduction=reduction) + 0 * w.sum()
            case("bce_loss", f, p, t, w, reduction=reduction, weights="w")


def classes():
    for reduction in REDUCTIONS:
        for shape in [(4, 3), (5,), (1, 3, 2, 2)]:
            c = shape[0] if len(shape) == 1 else shape[1]
            samples = shape[2:] if len(shape) == 1 else shape[:1] + shape[2:]
            for ignore in (None, 1):
                labels = torch.randint(c, () if len(shape) == 1 else samples, generator=GENERATOR)
                if labels.dim() == 0 and ignore is not None:
                    labels = torch.tensor(2)
                index = {"ignore_index": -100 if ignore is None else ignore}
                params = dict(labels=labels.reshape(-1).tolist(), ignore=ignore, reduction=reduction)
                for weight in (None, random(c, low=0.25, high=2)):
                    params["weight"] = None if weight is None else weight.tolist()
                    f = lambda x: F.nll_loss(x, labels, weight, reduction=reduction, **index)
                    case("nll_loss", f, random(*shape, low=-4, high=-0.5), smoothing=0.0, **params)
                    for smoothing in (0.0, 0.2):
                        f = lambda x: F.cross_entropy(x, labels, weight, reduction=reduction, label_smoothing=smoothing, **index)
                        case("cross_entropy", f, random(*shape, low=-4, high=4), smoothing=smoothing, **params)
            for weight in (None, random(c, low=0.25, high=2)):
                for smoothing in (0.0, 0.2):
                    f = lambda x, q: F.cross_entropy(x, q, weight, reduction=reduction, label_smoothing=smoothing)
                    params = dict(weight=None if weight is None else weight.tolist(), smoothing=smoothing, reduction=reduction)
                    case("cross_entropy", f, random(*shape), random(*shape, low=0, high=1), **params)
    all_ignored = lambda x: F.cross_entropy(x, torch.tensor([1, 1]), ignore_index=1)
    case("cross_entropy", all_ignored, random(2, 3), labels=[1, 1], ignore=1, weight=None, smoothing=0.0, reduction="mean")


def others():
    signs = lambda *shape: torch.randint(2, shape, generator=GENERATOR) * 2.0 - 1
    for reduction in REDUCTIONS:
        for shape in [(5,), (2, 1, 3)]:
            x, t = random(*shape, low=-4, high=0), random(*shape, low=0.125, high=1)
            for log_target in (False, True):
                f = lambda x, t: F.kl_div(x, t, reduction=reduction, log_target=log_target)
                case("kl_div", f, x, t, reduction=reduction, log_target=log_target)
            if reduction == "mean":
                f = lambda x, t: F.kl_div(x, t, reduction="batchmean")
                case("kl_div", f, x, random(*shape, low=0.125, high=1), reduction="batchmean", log_target=False)
            t = signs(*shape)
            for margin in (1.0, 0.375):
                x = random(*shape)
                f = lambda x: F.hinge_embedding_loss(x, t, margin, reduction=reduction)
                case("hinge_embedding_loss", f, x, target=t.reshape(-1).tolist(), margin=margin, reduction=reduction)
                f = lambda a, b: F.margin_ranking_loss(a, b, t, margin, reduction=reduction)
                case("margin_ranking_loss", f, random(*shape), random(*shape), target=t.reshape(-1).tolist(), margin=margin, reduction=reduction)
            for log_input, full in [(True, False), (False, False), (True, True)]:
                x, t = random(*shape, low=0.25, high=2), random(*shape, low=0.25, high=4)
                f = lambda x: F.poisson_nll_loss(x, t, log_input=log_input, full=full, reduction=reduction)
                case("poisson_nll_loss", f, x, target=t.reshape(-1).tolist(), log_input=log_input, full=full, reduction=reduction)
            f = lambda x, t, v: F.gaussian_nll_loss(x, t, v, full=len(shape) == 2, reduction=reduction)
            case("gaussian_nll_loss", f, random(*shape), random(*shape), random(*shape, low=0.25, high=2), full=len(shape) == 2, reduction=reduction)
        for shape in [(3, 4), (5,)]:
            a, b, c, t = random(*shape), random(*shape), random(*shape), signs(*shape[:-1])
            for margin in (0.0, -0.5):
                f = lambda a, b: F.cosine_embedding_loss(a, b, t, margin, reduction=reduction)
                case("cosine_embedding_loss", f, a, b, target=t.reshape(-1).tolist(), margin=margin, reduction=reduction)
            for p, swap, margin in [(2.0, False, 1.0), (2.0, True, 0.5), (3.0, False, 2.0)]:
                f = lambda a, b, c: F.triplet_margin_loss(a, b, c, margin, p, swap=swap, reduction=reduction)
                case("triplet_margin_loss", f, a, b, c, p=p, swap=swap, margin=margin, reduction=reduction)
    x, t = torch.tensor([-1.0, -0.5, -2.0]), torch.tensor([0.0, 1.0, 0.5])
    case("kl_div", lambda x: F.kl_div(x, t, reduction="none"), x, target=t.tolist(), reduction="none", log_target=False)
    for shapes, dim in [(((3, 4), (3, 4)), 1), (((3, 4), (3, 4)), 0), (((2, 3, 2), (3, 2)), -2), (((4,), (4,)), 0)]:
        a, b = [random(*shape) for shape in shapes]
        case("cosine_similarity", lambda a, b: F.cosine_similarity(a, b, dim), a, b, dim=dim, eps=1e-8)
        for p in (2.0, 1.0, 3.0):
            case("pairwise_distance", lambda a, b: F.pairwise_distance(a, b, p), a, b, p=p)


def ctc_by_steps(log_probs, targets, lengths, blank):
    """The losses by plain operations, since PyTorch's own form has no second derivative."""
    losses = []
    for n, (target, length) in enumerate(zip(targets, lengths)):
        labels = [blank] + [label for c in target for label in (c, blank)]
        never = torch.full((), -1e30)
        a = [log_probs[0, n, c] if s < 2 else never for s, c in enumerate(labels)]
        for t in range(1, length):
            skips = lambda s: s > 1 and labels[s] != blank and labels[s] != labels[s - 2]
            ways = lambda s: [a[s]] + [a[s - 1]] * (s > 0) + ([a[s - 2]] if skips(s) else [])
            a = [log_probs[t, n, c] + torch.logsumexp(torch.stack(ways(s)), 0) for s, c in enumerate(labels)]
        losses.append(-torch.logsumexp(torch.stack(a[-2:]), 0))
    return torch.stack(losses)


def ctc():
    cases = [
        (5, 3, 4, 0, [[1, 1], [3, 2], [2]], [5, 4, 3]), (4, 2, 3, 2, [[0, 1, 0], [1]], [4, 2]),
        (6, 1, 3, 0, [[1, 2, 2]], [6]), (3, 2, 2, 1, [[], [0]], [3, 1]),
    ]
    for steps, batch, classes, blank, targets, lengths in cases:
        for reduction in REDUCTIONS:
            divisors = torch.tensor([max(len(target), 1) for target in targets])

            def f(x):
                losses = ctc_by_steps(x.log_softmax(2), targets, lengths, blank)
                flat = torch.tensor([label for target in targets for label in target], dtype=torch.long)
                sizes = torch.tensor([len(target) for target in targets])
                theirs = F.ctc_loss(x.log_softmax(2), flat, torch.tensor(lengths), sizes, blank, reduction="none")
                assert torch.allclose(losses, theirs, rtol=1e-12)
                return {"mean": (losses / divisors).mean(), "sum": losses.sum(), "none": losses}[reduction]

            params = dict(targets=targets, lengths=lengths, blank=blank, reduction=reduction)
            case("ctc_loss", f, random(steps, batch, classes), **params)


def variances():
    for shape, rows, eps in [((3, 4), (3,), 0.5), ((3, 3), (3,), 0.75), ((2, 3, 2), (2, 1, 2), 0.5), ((4,), (4,), 0.5), ((2, 3), (2, 3), 0.75)]:
        for reduction in REDUCTIONS:
            f = lambda x, t, v: F.gaussian_nll_loss(x, t, v, eps=eps, reduction=reduction)
            case("gaussian_nll_loss", f, random(*shape), random(*shape), random(*rows, low=0), full=False, eps=eps, reduction=reduction)


if __name__ == "__main__":
    losses()
    distances()
    binary()
    classes()
    others()
    ctc()
    variances()
    save_operations("losses")
