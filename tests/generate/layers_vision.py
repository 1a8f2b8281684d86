"""Writes fixtures/layers/vision.safetensors: layers of images and sequences."""

from common import derivatives, random, save_records
from nets import build, conv, layer


def check(net, *inputs, train=False):
    module = build(net).train(train)
    derivatives("layer", module, lambda *x: [module(v) for v in x], inputs, net=net, train=train)


def convolution(name, inputs, outputs, kernel, **more):
    return layer(name, in_channels=inputs, out_channels=outputs, kernel_size=kernel, **more)


def convolutions():
    for inputs, outputs, kernel, more, shape in [
        (2, 3, 3, {}, (2, 2, 5)),
        (2, 4, 2, dict(stride=2, padding=1, dilation=2, groups=2, bias=False), (1, 2, 6)),
        (2, 2, 4, dict(padding="same"), (1, 2, 5)),
        (2, 2, 3, dict(padding="same", dilation=2), (2, 5)),
        (1, 2, 2, dict(padding="valid"), (1, 3)),
    ]:
        check(convolution("Conv1d", inputs, outputs, kernel, **more), random(*shape))
    for inputs, outputs, kernel, more, shape in [
        (2, 2, [2, 3], dict(padding="same"), (1, 2, 3, 4)),
        (2, 1, [4, 2], dict(padding="same", dilation=[1, 3], bias=False), (1, 2, 4, 3)),
        (2, 2, 2, {}, (2, 3, 3)),
    ]:
        check(convolution("Conv2d", inputs, outputs, kernel, **more), random(*shape))
    for inputs, outputs, kernel, more, shape in [
        (2, 3, 3, {}, (2, 2, 3)),
        (4, 2, 3, dict(stride=2, padding=1, output_padding=1, groups=2), (1, 4, 3)),
        (2, 1, 2, dict(dilation=3, output_padding=2, bias=False), (2, 3)),
    ]:
        check(convolution("ConvTranspose1d", inputs, outputs, kernel, **more), random(*shape))
    for inputs, outputs, kernel, more, shape in [
        (2, 3, 2, {}, (1, 2, 2, 3)),
        (2, 1, 4, dict(stride=2, padding=1), (1, 2, 3, 2)),
        (4, 4, [2, 3], dict(stride=[3, 2], padding=[0, 1], output_padding=[2, 1], groups=4, bias=False), (1, 4, 2, 2)),
        (2, 2, 3, dict(dilation=[1, 2], output_padding=[0, 1]), (2, 2, 2)),
    ]:
        check(convolution("ConvTranspose2d", inputs, outputs, kernel, **more), random(*shape))


def pools():
    for more in [dict(kernel_size=2), dict(kernel_size=3, stride=2, padding=1, ceil_mode=True)]:
        check(layer("MaxPool1d", **more), random(2, 2, 6), random(1, 5))
        check(layer("AvgPool1d", **more), random(2, 2, 6), random(1, 5))
    check(layer("MaxPool1d", kernel_size=2, stride=1, dilation=3), random(1, 2, 7))
    check(layer("AvgPool1d", kernel_size=3, stride=2, padding=1, count_include_pad=False), random(1, 2, 6))
    check(layer("AvgPool2d", kernel_size=[2, 3], stride=1, divisor_override=4), random(1, 3, 4))
    for kind in ("Avg", "Max"):
        for output in (1, 3):
            check(layer(f"Adaptive{kind}Pool1d", output_size=output), random(2, 2, 7), random(2, 2))
        for output in (1, [2, 3]):
            check(layer(f"Adaptive{kind}Pool2d", output_size=output), random(1, 2, 3, 5), random(2, 4, 2))


def norms():
    sequences, images = [(3, 3), (2, 3, 4)], [(2, 3, 2, 2)]
    for dims, shapes in (1, sequences), (2, images):
        for more in [
            {}, dict(eps=0.25, momentum=0.5), dict(affine=False), dict(track_running_stats=False), dict(momentum=None),
            dict(affine=False, track_running_stats=False),
        ]:
            norm = layer(f"BatchNorm{dims}d", num_features=3, **more)
            for train in (True, False):
                check(norm, *[random(*shape) for shape in shapes], train=train)
    check(layer("BatchNorm1d", num_features=2, momentum=None), random(3, 2), random(2, 2), random(4, 2), train=True)
    check(layer("BatchNorm1d", num_features=2), random(0, 2), random(3, 2), train=True)
    check(layer("BatchNorm2d", num_features=2), random(0, 2, 2, 2), train=True)
    check(layer("BatchNorm2d", num_features=2), random(0, 2, 2, 2))
    for groups, channels, more, shape in [(2, 4, {}, (2, 4, 3)), (3, 3, dict(eps=0.125, affine=False), (2, 3, 2, 2)), (1, 4, {}, (3, 4))]:
        check(layer("GroupNorm", num_groups=groups, num_channels=channels, **more), random(*shape))
    for dims, shapes in (1, [(2, 3, 4), (3, 4)]), (2, [(2, 3, 2, 2), (3, 3, 2)]):
        for more in [dict(affine=True), dict(affine=True, track_running_stats=True, momentum=0.25)]:
            for train in (True, False):
                norm = layer(f"InstanceNorm{dims}d", num_features=3, eps=0.125, **more)
                check(norm, *[random(*shape) for shape in shapes], train=train)


def shapes():
    check(layer("Upsample", scale_factor=2.0), random(1, 2, 2, 3), random(1, 1, 3))
    check(layer("Upsample", size=[3, 5]), random(1, 2, 2, 3))
    check(layer("Upsample", size=5, mode="linear"), random(1, 2, 3))
    check(layer("Upsample", scale_factor=[1.5, 2.0], mode="bilinear"), random(1, 2, 4, 3))
    check(layer("Upsample", scale_factor=2.0, mode="bilinear", align_corners=True), random(1, 2, 2, 3))
    check(layer("PixelShuffle", upscale_factor=2), random(2, 4, 2, 3), random(8, 1, 2))
    check(layer("PixelUnshuffle", downscale_factor=2), random(2, 1, 4, 2), random(1, 2, 4))
    check(layer("Flatten", start_dim=1, end_dim=2), random(2, 3, 2, 2))
    check(layer("Flatten", start_dim=0, end_dim=-2), random(2, 3, 2))
    check(layer("Unflatten", dim=1, unflattened_size=[2, 3]), random(2, 6, 2))
    for name in ("Dropout1d", "Dropout2d"):
        check(layer(name, p=0.5), random(2, 3, 2))
        check(layer(name, p=1.0), random(2, 3, 2), train=True)


def nets():
    encoder = [
        conv(1, 4, 3, stride=2, padding=1), layer("GroupNorm", num_groups=2, num_channels=4), layer("GELU"),
        layer("Flatten"), layer("Unflatten", dim=1, unflattened_size=[4, 3, 3]),
    ]
    decoder = [
        convolution("ConvTranspose2d", 4, 4, 2, stride=2, bias=False), layer("InstanceNorm2d", num_features=4, affine=True), layer("Tanh"),
        layer("Upsample", scale_factor=2.0, mode="bilinear"), layer("AdaptiveAvgPool2d", output_size=6), layer("PixelShuffle", upscale_factor=2),
    ]
    check({"named": [["encoder", encoder], ["decoder", decoder]]}, random(2, 1, 6, 6), train=True)


if __name__ == "__main__":
    convolutions()
    pools()
    norms()
    shapes()
    nets()
    save_records("vision")
