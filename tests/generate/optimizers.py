"""Writes fixtures/optimizers.safetensors: twenty steps of PyTorch's optimizers and schedules.

A case trains a net of two layers (or, for L-BFGS, fits a linear one with a penalty) on two batches in turn. It gives

    optimizer, options   PyTorch's names; what is not said is PyTorch's default
    groups               further groups: the names that their parameters contain, and their options
    schedule             a class of torch.optim.lr_scheduler and its arguments, nested for SequentialLR and ChainedScheduler
    average              "swa" or the decay of an exponential average, with which the case ends
    metrics              what ReduceLROnPlateau is told

and has as results the weights after 1 and 20 steps, the averages, and the learning rates of all groups before each step and after
the last. Lion, which PyTorch does not have, is written out below.
"""

import torch
from torch import nn
from torch.optim import lr_scheduler, swa_utils

from common import FIXTURES, GENERATOR, random, randomize, record, save

STEPS = 20


class Lion(torch.optim.Optimizer):
    """Algorithm 2 of Chen et al., "Symbolic discovery of optimization algorithms" (2023)."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0, maximize=False):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay, maximize=maximize))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                g = -p.grad if group["maximize"] else p.grad
                direction = (beta1 * m + (1 - beta1) * g).sign()
                p.sub_(group["lr"] * (direction + group["weight_decay"] * p))
                m.copy_(beta2 * m + (1 - beta2) * g)


LAMBDAS = {"inverse": lambda epoch: 1 / (1 + epoch), "power": lambda epoch: 0.95**epoch}


def schedule_of(spec, optimizer):
    arguments = dict(spec)
    kind = getattr(lr_scheduler, arguments.pop("schedule"))
    if "lr_lambda" in arguments:
        arguments["lr_lambda"] = LAMBDAS[arguments["lr_lambda"]]
    if "schedules" in arguments:
        inner = [schedule_of(inner, optimizer) for inner in arguments.pop("schedules")]
        if kind is lr_scheduler.ChainedScheduler:
            return kind(inner, optimizer)
        return kind(optimizer, inner, **arguments)
    return kind(optimizer, **arguments)


def scheduled(kind, **arguments):
    return {"schedule": kind, **arguments}


def case(optimizer, groups=(), schedule=None, average=None, linear=False, metrics=None, **options):
    if linear:
        net = nn.Sequential(nn.Linear(3, 2))
    else:
        net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    x, y = random(8, 3), random(8, 2)
    state = randomize(net)
    rest = dict(net.named_parameters())
    taken = []
    for name, more in groups:
        taken.append({"params": [rest.pop(key) for key in list(rest) if name in key], **more})
    kind = Lion if optimizer == "Lion" else getattr(torch.optim, optimizer)
    opt = kind([{"params": list(rest.values())}, *taken] if groups else list(rest.values()), **options)
    scheduler = schedule_of(schedule, opt) if schedule else None
    averaged = None
    if average is not None:
        f = swa_utils.get_swa_multi_avg_fn() if average == "swa" else swa_utils.get_ema_multi_avg_fn(average)
        averaged = swa_utils.AveragedModel(net, multi_avg_fn=f)
    results, rates = {}, [[group["lr"] for group in opt.param_groups]]
    for step in range(STEPS):
        rows = slice(0, 8) if linear else slice(step % 2 * 4, step % 2 * 4 + 4)

        def closure():
            opt.zero_grad()
            loss = ((net(x[rows]) - y[rows]) ** 2).mean()
            if linear:
                loss = loss + sum((p**2).sum() for p in net.parameters()) * 0.125
            loss = -loss if options.get("maximize") and linear else loss
            loss.backward()
            return loss

        if optimizer == "LBFGS":
            opt.step(closure)
        else:
            closure()
            opt.step()
        if averaged is not None:
            averaged.update_parameters(net)
        if scheduler is not None:
            scheduler.step(*([metrics[step]] if metrics else []))
        rates.append([group["lr"] for group in opt.param_groups])
        if step in (0, STEPS - 1):
            results |= {f"after{step + 1}.{name}": p.clone() for name, p in net.named_parameters()}
    if averaged is not None:
        results |= {f"average.{name}": p.clone() for name, p in averaged.module.named_parameters()}
    results["lr"] = torch.tensor(rates)
    extra = {key: value for key, value in [("groups", groups), ("schedule", schedule), ("average", average), ("metrics", metrics)] if value not in (None, ())}
    record("train", {"x": x, "y": y} | state, results, optimizer=optimizer, options=options, linear=linear, **extra)


OPTIMIZERS = [
    ("SGD", dict(lr=0.1)),
    ("SGD", dict(lr=0.05, momentum=0.9, dampening=0.25, weight_decay=0.05)),
    ("SGD", dict(lr=0.05, momentum=0.8, nesterov=True)),
    ("Adam", dict(lr=0.05)),
    ("Adam", dict(betas=(0.7, 0.9), eps=1e-3, weight_decay=0.1, amsgrad=True)),
    ("AdamW", dict(lr=0.02)),
    ("AdamW", dict(betas=(0.5, 0.95), weight_decay=0.3, amsgrad=True)),
    ("RMSprop", dict(alpha=0.9)),
    ("RMSprop", dict(lr=0.005, alpha=0.8, eps=1e-4, centered=True, momentum=0.7, weight_decay=0.05)),
    ("Adagrad", dict(lr=0.1)),
    ("Adagrad", dict(lr_decay=0.1, initial_accumulator_value=0.25, weight_decay=0.05, eps=1e-6)),
    ("Adadelta", dict()),
    ("Adadelta", dict(lr=0.5, rho=0.7, eps=1e-3, weight_decay=0.1)),
    ("NAdam", dict(lr=0.03)),
    ("NAdam", dict(betas=(0.8, 0.9), momentum_decay=0.1, weight_decay=0.2, decoupled_weight_decay=True)),
    ("RAdam", dict(lr=0.03)),
    ("RAdam", dict(betas=(0.8, 0.9), eps=1e-4, weight_decay=0.2, decoupled_weight_decay=True)),
    ("Lion", dict(lr=0.01)),
    ("Lion", dict(lr=0.003, betas=(0.8, 0.9), weight_decay=0.5)),
]

# What else is there to each optimizer.
VARIANTS = [
    ("SGD", dict()),
    ("SGD", dict(lr=0.1, weight_decay=0.1)),
    ("SGD", dict(lr=0.02, momentum=0.5, nesterov=True, weight_decay=0.1, maximize=True)),
    ("SGD", dict(lr=0.0, momentum=0.5)),
    ("Adam", dict()),
    ("Adam", dict(amsgrad=True, maximize=True)),
    ("Adam", dict(lr=0.01, betas=(0.0, 0.0), eps=0.1)),
    ("Adam", dict(lr=0.01, weight_decay=0.1, decoupled_weight_decay=True)),
    ("AdamW", dict()),
    ("AdamW", dict(lr=0.01, weight_decay=0.0, maximize=True)),
    ("RMSprop", dict()),
    ("RMSprop", dict(centered=True, maximize=True)),
    ("RMSprop", dict(momentum=0.9, weight_decay=0.1)),
    ("RMSprop", dict(alpha=0.0, eps=0.1)),
    ("Adagrad", dict()),
    ("Adagrad", dict(lr=0.05, maximize=True, weight_decay=0.1)),
    ("Adadelta", dict(maximize=True)),
    ("Adadelta", dict(rho=0.0, lr=0.1)),
    ("Adadelta", dict(rho=1.0, lr=0.1)),
    ("NAdam", dict()),
    ("NAdam", dict(lr=0.01, weight_decay=0.1, momentum_decay=0.0, maximize=True)),
    ("RAdam", dict()),
    ("RAdam", dict(lr=0.01, betas=(0.9, 0.6), weight_decay=0.1, maximize=True)),
    ("RAdam", dict(lr=0.01, betas=(0.0, 0.99))),
    ("Lion", dict()),
    ("Lion", dict(lr=0.02, maximize=True, betas=(0.5, 0.0))),
]

METRICS = [1.0, 0.9, 0.95, 0.91, 0.9, 0.89999, 0.7, 0.7, 0.71, 0.6, 0.65, 0.62, 0.61, 0.605, 0.6, 0.6, 0.61, 0.59, 0.7, 0.8]

SCHEDULES = [
    scheduled("StepLR", step_size=6, gamma=0.5),
    scheduled("MultiStepLR", milestones=[3, 9, 9, 15], gamma=0.7),
    scheduled("ExponentialLR", gamma=0.9),
    scheduled("ConstantLR"),
    scheduled("LinearLR", start_factor=0.125, total_iters=8),
    scheduled("PolynomialLR", total_iters=25, power=2.0),
    scheduled("CosineAnnealingLR", T_max=12, eta_min=0.001),
    scheduled("CosineAnnealingWarmRestarts", T_0=4, T_mult=2),
    scheduled("LambdaLR", lr_lambda="inverse"),
    scheduled("OneCycleLR", max_lr=0.03, total_steps=21),
    scheduled("ReduceLROnPlateau", patience=1, factor=0.5),
    scheduled(
        "SequentialLR",
        schedules=[scheduled("LinearLR", start_factor=0.25, total_iters=5), scheduled("CosineAnnealingLR", T_max=15)],
        milestones=[5],
    ),
    scheduled("ChainedScheduler", schedules=[scheduled("ConstantLR", factor=0.5, total_iters=7), scheduled("ExponentialLR", gamma=0.93)]),
]

# Past their ends, at their limits, inside one another.
ODD_SCHEDULES = [
    scheduled("StepLR", step_size=1, gamma=1.1),
    scheduled("StepLR", step_size=100),
    scheduled("MultiStepLR", milestones=[0, 1, 50]),
    scheduled("MultiStepLR", milestones=[]),
    scheduled("ConstantLR", factor=1.0, total_iters=0),
    scheduled("ConstantLR", factor=0.1, total_iters=0),
    scheduled("ConstantLR", factor=0.5, total_iters=19),
    scheduled("LinearLR"),
    scheduled("LinearLR", start_factor=1.0, end_factor=0.0, total_iters=10),
    scheduled("LinearLR", start_factor=0.5, end_factor=0.5, total_iters=3),
    scheduled("LinearLR", total_iters=0),
    scheduled("PolynomialLR"),
    scheduled("PolynomialLR", total_iters=10, power=0.5),
    scheduled("PolynomialLR", total_iters=7, power=0.0),
    scheduled("CosineAnnealingLR", T_max=3),
    scheduled("CosineAnnealingLR", T_max=1, eta_min=0.01),
    scheduled("CosineAnnealingLR", T_max=7, eta_min=0.2),
    scheduled("CosineAnnealingWarmRestarts", T_0=1),
    scheduled("CosineAnnealingWarmRestarts", T_0=1, T_mult=3, eta_min=0.01),
    scheduled("CosineAnnealingWarmRestarts", T_0=7),
    scheduled("MultiplicativeLR", lr_lambda="power"),
    scheduled("LambdaLR", lr_lambda="power"),
    scheduled("OneCycleLR", max_lr=0.1, total_steps=20),
    scheduled("OneCycleLR", max_lr=0.1, total_steps=25, anneal_strategy="linear", pct_start=0.4, div_factor=5.0, final_div_factor=10.0),
    scheduled("OneCycleLR", max_lr=0.1, total_steps=30, three_phase=True, base_momentum=0.5, max_momentum=0.9),
    scheduled("OneCycleLR", max_lr=0.1, total_steps=22, three_phase=True, anneal_strategy="linear", cycle_momentum=False),
    scheduled("OneCycleLR", max_lr=0.1, total_steps=21, pct_start=0.0),
    scheduled("OneCycleLR", max_lr=0.1, total_steps=21, pct_start=1.0),
    scheduled("ReduceLROnPlateau"),
    scheduled("ReduceLROnPlateau", mode="max", patience=0, factor=0.7, threshold=0.01),
    scheduled("ReduceLROnPlateau", mode="max", threshold_mode="abs", threshold=0.05, patience=2, factor=0.3, cooldown=2),
    scheduled("ReduceLROnPlateau", threshold_mode="abs", threshold=0.02, patience=1, factor=0.3, min_lr=0.01),
    scheduled("ReduceLROnPlateau", patience=0, factor=0.5, cooldown=1, eps=0.02),
    scheduled("SequentialLR", schedules=[scheduled("ConstantLR", factor=0.5, total_iters=9)], milestones=[]),
    scheduled(
        "SequentialLR",
        schedules=[
            scheduled("ExponentialLR", gamma=0.5),
            scheduled("LinearLR", start_factor=0.1, total_iters=4),
            scheduled("StepLR", step_size=2),
            scheduled("PolynomialLR", total_iters=8),
        ],
        milestones=[3, 7, 12],
    ),
    scheduled(
        "SequentialLR",
        schedules=[scheduled("ConstantLR"), scheduled("ExponentialLR", gamma=0.9), scheduled("CosineAnnealingWarmRestarts", T_0=3, T_mult=2)],
        milestones=[0, 6],
    ),
    scheduled(
        "SequentialLR",
        schedules=[scheduled("LambdaLR", lr_lambda="power"), scheduled("MultiStepLR", milestones=[0, 2]), scheduled("MultiplicativeLR", lr_lambda="power")],
        milestones=[4, 10],
    ),
    scheduled(
        "SequentialLR",
        schedules=[scheduled("LinearLR", total_iters=4), scheduled("OneCycleLR", max_lr=0.2, total_steps=20), scheduled("ConstantLR", factor=0.1)],
        milestones=[5, 14],
    ),
    scheduled(
        "ChainedScheduler",
        schedules=[
            scheduled("LinearLR", start_factor=0.2, total_iters=6),
            scheduled("MultiStepLR", milestones=[8, 12], gamma=0.5),
            scheduled("CosineAnnealingLR", T_max=30, eta_min=0.001),
        ],
    ),
    scheduled(
        "ChainedScheduler",
        schedules=[
            scheduled("SequentialLR", schedules=[scheduled("ConstantLR", total_iters=3), scheduled("StepLR", step_size=4)], milestones=[5]),
            scheduled("ExponentialLR", gamma=0.95),
        ],
    ),
]

GROUPS = [
    ("SGD", dict(lr=0.1, momentum=0.9, weight_decay=0.1), [("bias", dict(weight_decay=0.0))]),
    ("AdamW", dict(lr=0.02), [("2.", dict(lr=0.05, betas=(0.5, 0.9))), ("bias", dict(weight_decay=0.0))]),
    ("RMSprop", dict(), [("0.weight", dict(centered=True, momentum=0.5)), ("weight", dict(lr=0.001, alpha=0.5))]),
    ("NAdam", dict(), [("bias", dict(momentum_decay=0.1, betas=(0.8, 0.9)))]),
    ("Lion", dict(lr=0.01), [("bias", dict(lr=0.001))]),
]

LBFGS = [
    dict(),
    dict(lr=0.5, max_iter=2),
    dict(lr=0.3, max_iter=1, history_size=3),
    dict(line_search_fn="strong_wolfe", max_iter=1),
    dict(line_search_fn="strong_wolfe", max_iter=3, max_eval=4, history_size=2),
    dict(lr=0.1, line_search_fn="strong_wolfe", max_iter=2, maximize=True),
    dict(lr=0.5, max_iter=4, tolerance_grad=0.1, tolerance_change=0.01),
]


def scheduled_case(optimizer, options, schedule, **more):
    schedule = dict(schedule)
    if schedule["schedule"] == "OneCycleLR" and optimizer in ("Adagrad", "Adadelta"):
        schedule["cycle_momentum"] = False
    metrics = METRICS if schedule["schedule"] == "ReduceLROnPlateau" else None
    case(optimizer, schedule=schedule, metrics=metrics, **options, **more)


GENERATOR.manual_seed(7)
for optimizer, options in OPTIMIZERS + VARIANTS:
    case(optimizer, **options)
for optimizer, options in OPTIMIZERS[1::2]:
    for schedule in SCHEDULES:
        scheduled_case(optimizer, options, schedule)
for i, schedule in enumerate(ODD_SCHEDULES):
    optimizer, options = [("SGD", dict(lr=0.1, momentum=0.5)), ("Adam", dict(lr=0.05))][i % 2]
    scheduled_case(optimizer, options, schedule)
for i, (optimizer, options, groups) in enumerate(GROUPS):
    case(optimizer, groups=groups, **options)
    for schedule in SCHEDULES[i::5]:
        scheduled_case(optimizer, options, schedule, groups=groups)
scheduled_case("AdamW", {}, scheduled("OneCycleLR", max_lr=[0.1, 0.05, 0.02], total_steps=21), groups=GROUPS[1][2])
scheduled_case("AdamW", {}, scheduled("ReduceLROnPlateau", patience=0, min_lr=[0.0005, 0.01, 0.0], factor=0.2), groups=GROUPS[1][2])
for average in ["swa", 0.9, 0.5, 1.0, 0.0]:
    case("SGD", lr=0.2, average=average)
for options in LBFGS:
    case("LBFGS", linear=True, **options)
scheduled_case("LBFGS", dict(lr=0.5, max_iter=2), scheduled("ExponentialLR", gamma=0.9), linear=True)
scheduled_case("LBFGS", dict(line_search_fn="strong_wolfe", max_iter=1), scheduled("StepLR", step_size=3), linear=True)
for options in [dict(lr=0.2, max_iter=3), dict(line_search_fn="strong_wolfe", max_iter=2)]:
    case("LBFGS", **options)
save(FIXTURES / "optimizers.safetensors")
