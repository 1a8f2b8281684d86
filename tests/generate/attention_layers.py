"""Writes fixtures/layers/transformers.safetensors: attention layers, encoders and decoders, and twenty steps of training them.

A mask is described by `keep`, who sees whom (the opposite of PyTorch's boolean masks), `add`, numbers added to the scores, each
with its shape, and `padding`, which keys are none. The kinds that differ from `common`'s:

    attention_train   losses, and after.<name>: the state after the last step; x0 is the input, x1 the target
    encoder_train     the same
    decoder_train     the same; x2 is the memory
"""

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from common import derivatives, random, randomize, record, save_records

N, L, S = 2, 3, 4


def masks(keep=None, add=None, padding=None, causal=False):
    """The masks as JSON, and as PyTorch takes them for `queries` and `keys`."""
    described = {
        "keep": keep and [list(torch.tensor(keep).shape), torch.tensor(keep).flatten().tolist()],
        "add": add and [list(torch.tensor(add).shape), torch.tensor(add).flatten().tolist()],
        "padding": padding and [list(torch.tensor(padding).shape), torch.tensor(padding).flatten().tolist()],
        "causal": causal,
    }

    def torchs(queries, keys, heads):
        mask = None
        if keep is not None or add is not None or causal:
            mask = torch.zeros(queries, keys)
            mask = mask + torch.tensor(add) if add is not None else mask
            mask = mask.masked_fill(~torch.tensor(keep), -torch.inf) if keep is not None else mask
            mask = mask.masked_fill(torch.ones(queries, keys).tril() == 0, -torch.inf) if causal else mask
            if mask.dim() == 4:
                mask = mask.expand(-1, heads, -1, -1).flatten(0, 1)
        hidden = None if padding is None else torch.tensor(padding)
        if hidden is not None and mask is not None:
            hidden = torch.zeros(hidden.shape).masked_fill(hidden, -torch.inf)
        return mask, hidden

    return described, torchs


KEEP = [[True, False, True], [True, True, False], [False, True, True]]
CROSS = [[True, False, True, True], [False, True, True, False], [True, True, True, True]]
PER_HEAD = [[[[0.5, -1.0, 0.0], [0.25, 0.0, 1.0], [0.0, 2.0, -0.5]], [[0.0, 1.0, 0.0]] * 3]] * N
PADDING = [[False, False, True], [True, False, False]]
CROSS_PADDING = [[False, True, False, False], [False, False, False, True]]
BLIND = [[True, True, True, True], [False, False, True, False]]


def attention():
    for sizes, inputs, mask in [
        ({}, 1, {}),
        ({}, 1, dict(causal=True)),
        ({}, 1, dict(keep=KEEP)),
        ({}, 1, dict(add=PER_HEAD, padding=PADDING)),
        ({}, 1, dict(padding=PADDING, causal=True)),
        ({}, 2, dict(keep=CROSS, padding=CROSS_PADDING)),
        ({}, 3, dict(padding=BLIND)),
        (dict(bias=False), 3, {}),
        (dict(kdim=3, vdim=5), 3, dict(keep=CROSS)),
        (dict(kdim=3, vdim=5, bias=False), 3, {}),
        (dict(embed_dim=3, num_heads=3), 2, {}),
    ]:
        sizes = dict(embed_dim=4, num_heads=2) | sizes
        layer = nn.MultiheadAttention(**sizes, batch_first=True)
        e, heads = sizes["embed_dim"], sizes["num_heads"]
        shapes = [(N, L, e), (N, S, sizes.get("kdim", e)), (N, S, sizes.get("vdim", e))][:inputs]
        described, torchs = masks(**mask)

        def forward(q, *kv):
            k, v = (q, q) if not kv else (kv[0], kv[-1])
            attn_mask, padding = torchs(L, k.shape[1], heads)
            return [layer(q, k, v, key_padding_mask=padding, attn_mask=attn_mask, need_weights=False)[0]]

        derivatives("attention", layer, forward, [random(*shape) for shape in shapes], sizes=sizes, masks=described)
    layer = nn.MultiheadAttention(4, 2, batch_first=True)
    described, torchs = masks(causal=True)
    forward = lambda x: [layer(x, x, x, attn_mask=torchs(L, L, 2)[0], need_weights=False)[0]]
    derivatives("attention", layer, forward, [random(L, 4)], sizes=dict(embed_dim=4, num_heads=2), masks=described)


def build(kind, options, layers, norm):
    """One layer, or a stack with or without a normalization at the end."""
    one = {"encoder": nn.TransformerEncoderLayer, "decoder": nn.TransformerDecoderLayer}[kind]
    layer = one(4, 2, batch_first=True, **options)
    if layers == 0:
        return layer
    norm = nn.LayerNorm(4) if norm else None
    more = dict(enable_nested_tensor=False) if kind == "encoder" else {}
    stack = {"encoder": nn.TransformerEncoder, "decoder": nn.TransformerDecoder}[kind]
    return stack(layer, layers, norm, **more)


OPTIONS = dict(dim_feedforward=6, dropout=0.0)
VARIANTS = [
    ({}, 0, False),
    (dict(norm_first=True), 0, False),
    (dict(activation="gelu", layer_norm_eps=0.125), 0, False),
    (dict(norm_first=True, activation="gelu", bias=False), 0, False),
    (dict(norm_first=True, activation="gelu"), 2, True),
    ({}, 2, False),
]


def stacks():
    for i, (options, layers, norm) in enumerate(VARIANTS):
        options = OPTIONS | options
        params = dict(options=options, layers=layers, norm=norm)
        described, torchs = masks(**[{}, dict(causal=True), dict(padding=PADDING), dict(keep=KEEP)][i % 4])
        module = build("encoder", options, layers, norm)
        # A layer names its mask otherwise than a stack.
        name = "src_mask" if layers == 0 else "mask"

        def forward(x):
            mask, padding = torchs(L, L, 2)
            return [module(x, **{name: mask}, src_key_padding_mask=padding)]

        derivatives("encoder", module, forward, [random(N, L, 4)], masks=described, **params)

        tgt, tgt_torch = masks(**[dict(causal=True), {}, dict(padding=PADDING)][i % 3])
        mem, mem_torch = masks(**[{}, dict(padding=CROSS_PADDING), dict(keep=CROSS)][i % 3])
        decoder = build("decoder", options, layers, norm)

        def decode(x, memory):
            (mask, padding), (mem_mask, mem_padding) = tgt_torch(L, L, 2), mem_torch(L, S, 2)
            return [
                decoder(
                    x, memory, tgt_mask=mask, tgt_key_padding_mask=padding, memory_mask=mem_mask,
                    memory_key_padding_mask=mem_padding,
                )
            ]

        inputs = [random(N, L, 4), random(N, S, 4)]
        derivatives("decoder", decoder, decode, inputs, tgt=tgt, memory=mem, **params)


def train(kind, module, forward, inputs, **params):
    """Twenty steps of descent towards fixed numbers. (Adam would blow up the gradient of the keys' bias: it is 0 but for rounding.)"""
    state = randomize(module)
    optimizer = torch.optim.SGD(module.parameters(), 0.05, 0.9)
    losses = []
    for _ in range(20):
        loss = nn.functional.mse_loss(forward(*inputs), inputs[1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    results = {"losses": torch.stack(losses)} | {f"after.{k}": v for k, v in module.state_dict().items()}
    record(kind, {f"x{i}": v for i, v in enumerate(inputs)} | state, results, **params)


def training():
    causal = torch.ones(L, L).tril() == 0
    layer = nn.MultiheadAttention(4, 2, batch_first=True)
    attend = lambda x, _: layer(x, x, x, attn_mask=causal, need_weights=False)[0]
    train("attention_train", layer, attend, [random(N, L, 4), random(N, L, 4)], sizes=dict(embed_dim=4, num_heads=2))
    for options, layers, norm in VARIANTS[:5:2] + VARIANTS[1:2]:
        options = OPTIONS | options
        params = dict(options=options, layers=layers, norm=norm)
        encoder = build("encoder", options, layers, norm)
        name = "src_mask" if layers == 0 else "mask"
        inputs = [random(N, L, 4), random(N, L, 4)]
        train("encoder_train", encoder, lambda x, _: encoder(x, **{name: causal}), inputs, **params)
        decoder = build("decoder", options, layers, norm)
        decode = lambda x, _, memory: decoder(x, memory, tgt_mask=causal)
        train("decoder_train", decoder, decode, [*inputs, random(N, S, 4)], **params)


if __name__ == "__main__":
    torch.manual_seed(1)
    with sdpa_kernel(SDPBackend.MATH):
        attention()
        stacks()
        training()
    save_records("transformers")
