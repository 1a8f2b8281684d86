"""Writes fixtures/layers/core.safetensors and fixtures/cnn.safetensors: what PyTorch's layers and optimizers compute.

With `--check FILE` it reads a file that the test `files_travel_both_ways` has written from our layers, loads it into
PyTorch's layers with `strict=True`, and compares their outputs with those in the fixture.

A net is described by the names and arguments of PyTorch's classes: see `build`. The kinds that differ from `common`'s:

    train     losses, norms (of the gradients, where they are clipped), and after.<name>: the state after the last step
    saliency  g.x0: the gradient of each sample's largest output by the input

`cnn.safetensors` is a net's state as the safetensors package writes it, in float32, integers included; the case `file`
has an input of this net and its output.
"""

import sys

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from common import FIXTURES, GENERATOR, derivatives, random, randomize, record, save_records
from nets import build, conv, layer, linear


def check_layer(net, *inputs, train=False):
    module = build(net).train(train)
    derivatives("layer", module, lambda *x: [module(v) for v in x], inputs, net=net, train=train)


def layers():
    for bias in (True, False):
        for shape in [(4,), (3, 4), (2, 3, 4)]:
            check_layer(linear(4, 5, bias=bias), random(*shape))
    # inputs, outputs, kernel, arguments, size of the image
    for inputs, outputs, kernel, more, size in [
        (2, 3, 3, {}, (5, 4)),
        (2, 3, 3, dict(stride=2, padding=1), (5, 6)),
        (2, 2, (2, 3), dict(stride=(1, 2), padding=(0, 1), dilation=(2, 1)), (5, 5)),
        (4, 6, 3, dict(groups=2, padding=1), (3, 3)),
        (3, 3, 3, dict(groups=3, padding=2, dilation=2, bias=False), (4, 4)),
        (2, 4, 1, dict(bias=False), (3, 2)),
    ]:
        check_layer(conv(inputs, outputs, kernel, **more), random(2, inputs, *size))
    for more in [dict(kernel_size=2), dict(kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), ceil_mode=True)]:
        check_layer(layer("MaxPool2d", **more), random(1, 2, 5, 4))
        check_layer(layer("AvgPool2d", **more), random(1, 2, 5, 4))
    check_layer(layer("MaxPool2d", kernel_size=2, stride=1, dilation=2), random(1, 2, 4, 5))
    check_layer(layer("AvgPool2d", kernel_size=3, stride=2, padding=1, count_include_pad=False), random(1, 2, 5, 4))
    for norm in [layer("BatchNorm2d", num_features=3), layer("BatchNorm2d", num_features=2, eps=0.25, momentum=0.5)]:
        c = norm["num_features"]
        for train in (True, False):
            check_layer(norm, *[random(n, c, 2, 3) for n in (2, 3, 1)], train=train)
    for start in (1, 2):
        check_layer(layer("Flatten", start_dim=start), random(2, 3, 2, 2))
    for name in ("ReLU", "Sigmoid", "Tanh", "GELU"):
        check_layer(layer(name), random(3, 5, low=-4, high=4))
    for dim in (-1, 0, 1):
        check_layer(layer("Softmax", dim=dim), random(2, 3, 4))
    nested = [linear(3, 4), layer("Tanh"), [linear(4, 3, bias=False), [layer("GELU"), linear(3, 2)]], layer("Softmax", dim=-1)]
    check_layer(nested, random(4, 3))
    check_layer(CNN, random(2, 1, 6, 6), train=True)
    check_layer(CNN, random(2, 1, 6, 6))


def lstms():
    for more in (False, True):
        x = [random(2, 3)] + [random(2, 4) for _ in range(2 * more)]
        cell = nn.LSTMCell(3, 4)
        derivatives("lstm_cell", cell, lambda x, *state: cell(x, state or None), x, features=3, hidden=4)
    for batch, length in [(2, 1), (3, 2), (1, 7), (2, 5)]:
        for more in (False, True):
            x = [random(batch, length, 3)] + [random(batch, 2) for _ in range(2 * more)]
            lstm = nn.LSTM(3, 2, batch_first=True)

            def forward(x, *state):
                y, (h, c) = lstm(x, tuple(s.unsqueeze(0) for s in state) or None)
                return y, h.squeeze(0), c.squeeze(0)

            derivatives("lstm", lstm, forward, x, features=3, hidden=2)


MLP = {"named": [["fc1", linear(4, 6)], ["act", layer("Tanh")], ["fc2", linear(6, 5)], ["relu", layer("ReLU")], ["fc3", linear(5, 3)]]}
CNN = {"named": [
    ["conv1", conv(1, 3, 3, padding=1, bias=False)], ["bn1", layer("BatchNorm2d", num_features=3)], ["relu1", layer("ReLU")],
    ["pool1", layer("MaxPool2d", kernel_size=2)], ["conv2", conv(3, 4, 2)], ["act2", layer("GELU")],
    ["pool2", layer("AvgPool2d", kernel_size=2)], ["flatten", layer("Flatten")], ["fc", linear(4, 3)],
]}
STEPS, BATCH = 10, 8


def train(net, optimizer, options, loss="cross_entropy", clip=None, penalty=0.0, frozen=(), hooks={}):
    """Trains on two batches in turn, forward and backward through the layers in training mode."""
    module = build(net).train()
    state = randomize(module)
    image = "fc1" not in dict(module.named_children())
    x = random(2 * BATCH, *((1, 6, 6) if image else (4,)))
    labels = torch.randint(3, (2 * BATCH,), generator=GENERATOR)
    # Probabilities for the losses that compare with numbers.
    given = {"x0": x, "x1": random(2 * BATCH, 3, low=0, high=1)} | state
    loss_of = {
        "cross_entropy": nn.functional.cross_entropy,
        "bce_with_logits": nn.functional.binary_cross_entropy_with_logits,
        "mse_loss": nn.functional.mse_loss,
    }[loss]
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in frozen)
        if name in hooks:
            parameter.register_hook(lambda g, factor=hooks[name]: g * factor)
    algorithm = getattr(torch.optim, optimizer)(module.parameters(), **options)
    losses, norms = [], []
    for step in range(STEPS):
        rows = slice(step % 2 * BATCH, (step % 2 + 1) * BATCH)
        batch = x[rows].clone().requires_grad_(penalty > 0)
        value = loss_of(module(batch), labels[rows] if loss == "cross_entropy" else given["x1"][rows])
        if penalty > 0:
            (g,) = torch.autograd.grad(value, batch, create_graph=True)
            value = value + penalty * (g * g).sum()
        algorithm.zero_grad()
        value.backward()
        if clip and clip[0] == "norm":
            norms.append(nn.utils.clip_grad_norm_(module.parameters(), clip[1]))
        elif clip:
            nn.utils.clip_grad_value_(module.parameters(), clip[1])
        algorithm.step()
        losses.append(value.detach())
    results = {"losses": torch.stack(losses)} | ({"norms": torch.stack(norms)} if norms else {})
    results |= {f"after.{k}": v for k, v in module.state_dict().items() if not k.endswith("num_batches_tracked")}
    record(
        "train", given, results, net=net, labels=labels.tolist(), optimizer=optimizer, options=options, loss=loss,
        clip=clip, penalty=penalty, frozen=list(frozen), hooks=hooks, steps=STEPS, batch=BATCH,
    )


def training():
    train(MLP, "SGD", dict(lr=0.1))
    train(MLP, "SGD", dict(lr=0.1, momentum=0.9, weight_decay=0.01))
    train(MLP, "SGD", dict(lr=0.05, momentum=0.9, nesterov=True), loss="bce_with_logits")
    train(MLP, "SGD", dict(lr=0.05, momentum=0.5, dampening=0.25), loss="mse_loss")
    train(MLP, "Adam", dict(lr=0.01), loss="mse_loss")
    train(MLP, "Adam", dict(lr=0.01, weight_decay=0.1))
    train(MLP, "Adam", dict(lr=0.02, betas=[0.7, 0.9], amsgrad=True), loss="bce_with_logits")
    train(MLP, "AdamW", dict(lr=0.01, weight_decay=0.1))
    train(MLP, "SGD", dict(lr=0.1, momentum=0.9), clip=["norm", 0.25])
    train(MLP, "SGD", dict(lr=0.1), clip=["norm", 100.0])
    train(MLP, "Adam", dict(lr=0.01), clip=["value", 0.02])
    train(MLP, "SGD", dict(lr=0.1, momentum=0.9, weight_decay=0.01), frozen=["fc1.weight", "fc2.bias"])
    train(MLP, "Adam", dict(lr=0.01, weight_decay=0.01), frozen=["fc3.weight"])
    train(MLP, "SGD", dict(lr=0.1, momentum=0.9), hooks={"fc1.weight": 0.5, "fc3.bias": 0.0})
    train(CNN, "SGD", dict(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.001))
    train(CNN, "SGD", dict(lr=0.05), loss="bce_with_logits", frozen=["conv1.weight", "bn1.weight", "bn1.bias"])
    train(CNN, "Adam", dict(lr=0.01, weight_decay=0.01), clip=["norm", 0.5])
    train(CNN, "AdamW", dict(lr=0.01, amsgrad=True), loss="mse_loss")
    train(CNN, "SGD", dict(lr=0.05, momentum=0.9), penalty=1.0)
    train(CNN, "Adam", dict(lr=0.01), penalty=0.5)


def saliency():
    module = build(CNN).eval()
    state = randomize(module)
    x = random(3, 1, 6, 6)
    tracked = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(module(tracked).max(1).values.sum(), tracked)
    record("saliency", {"x0": x} | state, {"g.x0": g}, net=CNN)


def file():
    module = build(CNN)
    randomize(module)
    module.train()(random(4, 1, 6, 6))  # The counts of batches are no longer 0.
    module = module.float().eval()
    save_file(module.state_dict(), FIXTURES / "cnn.safetensors", metadata={"format": "pt"})
    x = random(2, 1, 6, 6)
    record("file", {"x0": x}, {"y0": module.double()(x)}, net=CNN)


def initialization():
    """The formulas of torch.nn.init, and an error that the engine makes too."""
    gains = {name: nn.init.calculate_gain(name) for name in ("linear", "sigmoid", "tanh", "relu")}
    gains["leaky_relu"] = nn.init.calculate_gain("leaky_relu", 5**0.5)
    fans = [[list(s), list(nn.init._calculate_fan_in_and_fan_out(torch.empty(s)))] for s in [(5, 3), (4, 3, 3, 2), (6, 2, 3)]]
    bounds = []
    for module in (linear(50, 400), conv(8, 60, (5, 3), groups=2)):
        largest = {name: value.abs().max().item() for name, value in build(module).named_parameters()}
        bounds.append([module, largest])
    record("initialization", {}, {}, gains=gains, fans=fans, largest=bounds)
    try:
        nn.BatchNorm2d(2).train()(random(1, 2, 1, 1))
        raise AssertionError("PyTorch normalizes a single value per channel")
    except ValueError as error:
        assert "more than 1 value per channel" in str(error)


def check(path):
    cases = FIXTURES / "layers" / "core.safetensors"
    fixture = load_file(cases)
    module = build(CNN)
    module.load_state_dict(load_file(path), strict=True)
    y = module.double().eval()(fixture["file/0/x"].double().reshape(2, 1, 6, 6))
    assert torch.allclose(y.flatten(), fixture["file/0/y"], rtol=1e-12, atol=1e-14)
    print("PyTorch loads the file and computes the same")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        check(sys.argv[2])
        sys.exit()
    torch.manual_seed(1)  # For PyTorch's own initialization.
    for part in (layers, lstms, training, saliency, file, initialization):
        part()
    save_records("core")
