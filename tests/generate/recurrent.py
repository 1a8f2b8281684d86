"""Writes fixtures/ops/recurrent.safetensors and fixtures/layers/recurrent.safetensors: what PyTorch's recurrent layers compute.

The operations run one layer in one direction, time first. Their value is the outputs of all steps and the last state, each
flattened, one after another. The kinds of records:

    recurrent         a layer of any depth: outputs, the last state, first and second derivatives
    recurrent_cell    one step: the next state, first and second derivatives
    recurrent_train   losses, and after.<name>: the state after the last of 20 steps, of a layer and a dense one on its outputs
"""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import common
from common import case, derivatives, random, randomize, record, save_operations, save_records


def run(module, x, lengths, state, batch_first):
    """Outputs and the last states, as a list."""
    steps = x.shape[1 if batch_first and x.dim() == 3 else 0]
    if lengths:
        x = pack_padded_sequence(x, torch.tensor(lengths), batch_first=batch_first, enforce_sorted=False)
    y, last = module(x, state)
    if lengths:
        y, _ = pad_packed_sequence(y, batch_first=batch_first, total_length=steps)
    return [y, *(last if isinstance(last, tuple) else (last,))]


def operation(op, sizes, bias, state, reverse=False, lengths=None, activation="tanh"):
    length, batch, features, hidden = sizes
    kind = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[op]
    gates, states = {"rnn": (1, 1), "gru": (3, 1), "lstm": (4, 2)}[op]
    more = {"nonlinearity": activation} if op == "rnn" else {}
    # The reverse direction alone is the second half of both.
    module = kind(features, hidden, bias=bias, bidirectional=reverse, **more)
    inputs = [random(length, batch, features)]
    inputs += [random(gates * hidden, features), random(gates * hidden, hidden, low=-1, high=1)]
    inputs += [random(gates * hidden) for _ in range(2 * bias)]
    inputs += [random(batch, hidden, low=-1, high=1) for _ in range(states * state)]

    def f(x, *others):
        names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"][: 4 if bias else 2]
        weights = {name + "_reverse" * reverse: w for name, w in zip(names, others)}
        fixed = {name: p.detach() for name, p in module.named_parameters() if name not in weights}
        initial = [torch.stack([torch.zeros_like(h), h]) if reverse else h[None] for h in others[len(names):]]
        initial = (tuple(initial) if op == "lstm" else initial[0]) if initial else None
        call = lambda x, state: torch.func.functional_call(module, fixed | weights, (x, state))
        y, *last = run(call, x, lengths, initial, False)
        return torch.cat([y[..., -hidden:].reshape(-1)] + [h[-1].reshape(-1) for h in last])

    case(op, f, *inputs, bias=bias, state=state, reverse=reverse, lengths=lengths, activation=activation)


def operations():
    for op in ("rnn", "gru", "lstm"):
        operation(op, (1, 1, 1, 1), bias=False, state=False)
        operation(op, (3, 2, 3, 2), bias=True, state=True)
        operation(op, (3, 2, 2, 3), bias=True, state=False, reverse=True)
        operation(op, (4, 3, 2, 2), bias=True, state=True, lengths=[2, 4, 1])
        operation(op, (3, 2, 1, 2), bias=False, state=True, reverse=True, lengths=[2, 3])
        operation(op, (2, 1, 2, 2), bias=True, state=False, lengths=[1])
    for reverse in (False, True):
        operation("rnn", (3, 2, 2, 3), bias=True, state=True, reverse=reverse, lengths=[3, 1], activation="relu")


def settings(module):
    keys = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "bidirectional")
    return {key: getattr(module, key) for key in keys} | {
        "mode": module.mode if not module.mode.startswith("RNN") else "RNN",
        "activation": module.mode.removeprefix("RNN_").lower() if module.mode.startswith("RNN") else "tanh",
    }


def layer(kind, features, hidden, shape, state=False, lengths=None, **more):
    module = kind(features, hidden, **more)
    slots = module.num_layers * (1 + module.bidirectional)
    batch = () if len(shape) == 1 else (shape[0],)
    steps = shape[-1]
    x = (*batch, steps, features) if module.batch_first or not batch else (steps, *batch, features)
    inputs = [random(*x)] + [random(slots, *batch, hidden, low=-1, high=1) for _ in range(state * (1 + (kind is nn.LSTM)))]

    def forward(x, *state):
        state = (state if kind is nn.LSTM else state[0]) if state else None
        return run(module, x, lengths, state, module.batch_first)

    derivatives("recurrent", module, forward, inputs, lengths=lengths, **settings(module))


def layers():
    for kind in (nn.RNN, nn.GRU, nn.LSTM):
        layer(kind, 2, 2, (2, 3), num_layers=2, bidirectional=True, batch_first=True, state=True)
        layer(kind, 3, 2, (3, 4), num_layers=2, batch_first=True, lengths=[4, 1, 3])
        layer(kind, 1, 2, (2, 3), bidirectional=True, state=True, lengths=[2, 3])
        layer(kind, 2, 3, (4,), num_layers=2, bias=False, state=True)
    layer(nn.RNN, 2, 3, (2, 4), num_layers=3, nonlinearity="relu", batch_first=True)
    # The gates of a whole register and some more, over enough samples and steps for the fused kernel's blocks.
    layer(nn.LSTM, 1, 3, (5, 9), num_layers=1, batch_first=True)


def cells():
    for kind in (nn.RNNCell, nn.GRUCell, nn.LSTMCell):
        for shape, state, bias in [((2,), False, True), ((3,), True, True), ((), True, False)]:
            module = kind(3, 2, bias=bias)
            inputs = [random(*shape, 3)] + [random(*shape, 2) for _ in range(state * (1 + (kind is nn.LSTMCell)))]

            def forward(x, *state):
                state = (state if kind is nn.LSTMCell else state[0]) if state else None
                after = module(x, state)
                return after if isinstance(after, tuple) else [after]

            derivatives("recurrent_cell", module, forward, inputs, mode=kind.__name__, bias=bias)


def train(kind, optimizer, options, lengths=None, **more):
    rnn = kind(2, 3, batch_first=True, **more)
    module = nn.ModuleDict({"rnn": rnn, "fc": nn.Linear(3 * (1 + rnn.bidirectional), 1)})
    state = randomize(module)
    given = {"x0": random(4, 5, 2), "x1": random(4, 5, 1)} | state
    algorithm = getattr(torch.optim, optimizer)(module.parameters(), **options)
    losses = []
    for _ in range(20):
        y, *_ = run(rnn, given["x0"], lengths, None, True)
        value = nn.functional.mse_loss(module["fc"](y), given["x1"])
        algorithm.zero_grad()
        value.backward()
        algorithm.step()
        losses.append(value.detach())
    results = {"losses": torch.stack(losses)} | {f"after.{k}": v for k, v in module.state_dict().items()}
    record("recurrent_train", given, results, lengths=lengths, optimizer=optimizer, options=options, **settings(rnn))


def training():
    train(nn.LSTM, "Adam", dict(lr=0.02), num_layers=2)
    train(nn.LSTM, "SGD", dict(lr=0.1, momentum=0.9), bidirectional=True, lengths=[5, 2, 4, 1])
    train(nn.GRU, "Adam", dict(lr=0.02), bidirectional=True)
    train(nn.GRU, "SGD", dict(lr=0.1, momentum=0.9), num_layers=2, lengths=[3, 5, 1, 4])
    train(nn.RNN, "Adam", dict(lr=0.02), num_layers=2, lengths=[1, 5, 5, 2])
    train(nn.RNN, "SGD", dict(lr=0.05), nonlinearity="relu")


if __name__ == "__main__":
    torch.manual_seed(1)
    operations()
    save_operations("recurrent")
    common.CASES.clear()
    common.TENSORS.clear()
    for part in (layers, cells, training):
        part()
    save_records("recurrent")
