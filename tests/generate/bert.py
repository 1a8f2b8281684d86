"""Writes fixtures/bert.safetensors and fixtures/layers/bert.safetensors: what Hugging Face's BERT computes.

`bert.safetensors` is a model's file as `save_pretrained` writes it (`transformers`, beside torch, is needed here). The kinds:

    bert             y0, ..: the hidden states, and last the pooler's output, of the model in that file
    bert_masked_lm   y0: the logits of a `BertForMaskedLM` whose state, as far as files hold it, is given
    bert_classifier  y0: the logits of a `BertForSequenceClassification`

With `--export FOLDER` it writes models of 128 x 2 and 768 x 12 and their hidden states there, for a check by hand:
`CHAINRULE_BERT=FOLDER cargo test --release -p chainrule-tests --test layers bert`.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

from common import FIXTURES, GENERATOR, random, record, save_records

TIED = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}


def config(hidden, layers, heads, inner, vocabulary=30, places=10):
    return transformers.BertConfig(
        vocab_size=vocabulary, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
        intermediate_size=inner, max_position_embeddings=places, attn_implementation="eager",
    )


def inputs(n, length, vocabulary=30):
    ids = torch.randint(1, vocabulary, (n, length), generator=GENERATOR)
    types = (torch.arange(length) >= length // 2).long().expand(n, length).contiguous()
    mask = torch.ones(n, length, dtype=torch.long)
    if length > 2:
        mask[0, length - 2 :] = 0
    return ids, types, mask


def described(ids, types, mask):
    return dict(ids=ids.flatten().tolist(), shape=list(ids.shape), types=types.flatten().tolist(), mask=mask.flatten().tolist())


def randomize(model):
    """Numbers that float32 holds exactly, so that both sides see the same."""
    for name, value in model.state_dict().items():
        if name not in TIED and value.dtype.is_floating_point:
            low, high = (0.5, 1.5) if name.endswith("LayerNorm.weight") else (-0.5, 0.5)
            value.copy_(random(*value.shape, low=low, high=high))
    return model.eval()


def states(model, ids, types, mask):
    output = model(ids, token_type_ids=types, attention_mask=mask, output_hidden_states=True)
    return [*output.hidden_states, output.pooler_output]


def encoder():
    model = randomize(transformers.BertModel(config(16, 2, 2, 20)).double())
    with tempfile.TemporaryDirectory() as folder:
        model.float().save_pretrained(folder)
        shutil.copy(Path(folder) / "model.safetensors", FIXTURES / "bert.safetensors")
    model.double()
    for n, length in [(2, 5), (1, 10), (3, 2)]:
        given = inputs(n, length)
        results = {f"y{i}": v for i, v in enumerate(states(model, *given))}
        record("bert", {}, results, **described(*given))


def heads():
    for kind, one, more in [
        ("bert_masked_lm", transformers.BertForMaskedLM, {}),
        ("bert_classifier", transformers.BertForSequenceClassification, dict(num_labels=3)),
    ]:
        settings = config(8, 1, 2, 6, vocabulary=12)
        settings.num_labels = more.get("num_labels", 2)
        model = randomize(one(settings).double())
        given = inputs(2, 4, vocabulary=12)
        ids, types, mask = given
        logits = model(ids, token_type_ids=types, attention_mask=mask).logits
        state = {f"state.{name}": v for name, v in model.state_dict().items() if name not in TIED}
        record(kind, state, {"y0": logits}, **described(*given), **more)


def export(folder):
    for name, sizes in [("128x2", (128, 2, 2, 512)), ("768x12", (768, 12, 12, 3072))]:
        model = transformers.BertModel(config(*sizes, vocabulary=1000, places=64)).float().eval()
        target = Path(folder) / name
        model.save_pretrained(target)
        given = inputs(2, 24, 1000)
        ids, types, mask = given
        output = {f"y{i}": v.contiguous() for i, v in enumerate(states(model, *given))}
        save_file(output | {k: v.float() for k, v in zip(("ids", "types", "mask"), given)}, target / "outputs.safetensors")


if __name__ == "__main__":
    torch.manual_seed(1)
    with torch.no_grad():
        if sys.argv[1:2] == ["--export"]:
            export(sys.argv[2])
            sys.exit()
        encoder()
        heads()
    save_records("bert")
