"""The networks of train_demo.py: VGG-9 and the CIFAR ResNets of He et al. (2016), with and without shortcuts."""
import torch
from torch import nn

BLOCKS_A_STAGE = {"resnet20": 3, "resnet56": 9, "resnet110": 18}
ARCHITECTURES = ("vgg9", *BLOCKS_A_STAGE)


class Vgg9(nn.Module):
    """Seven convolutions (w, w | 2w, 2w | 4w, 4w, 4w, a max pool after each group) and two dense layers (4w, classes).

    Batch norm follows each convolution and the first dense layer, which therefore have no bias of their own.
    """

    def __init__(self, shape, classes, width):
        super().__init__()
        channels, height, columns = shape
        layers = []
        for group in ((width,) * 2, (2 * width,) * 2, (4 * width,) * 3):
            for outputs in group:
                layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
                channels = outputs
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        flat = channels * (height // 8) * (columns // 8)
        self.classifier = nn.Sequential(nn.Linear(flat, 4 * width, bias=False), nn.BatchNorm1d(4 * width), nn.ReLU(),
                                        nn.Linear(4 * width, classes))

    def forward(self, x):
        """x: [batch, channels, height, width]; returns logits [batch, classes]."""
        return self.classifier(torch.flatten(self.features(x), 1))


class Block(nn.Module):
    """Two 3x3 convolutions and, if wanted, a shortcut around them: identity, or 1x1 where the shape changes."""

    def __init__(self, inputs, outputs, stride, shortcut):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.has_shortcut = shortcut
        self.shortcut = nn.Sequential()
        if shortcut and (stride != 1 or inputs != outputs):
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + self.shortcut(x) if self.has_shortcut else y)


class ResNet(nn.Module):
    """A 3x3 convolution, three stages of n blocks with w, 2w, 4w channels, global average pooling, one dense layer."""

    def __init__(self, shape, classes, width, blocks, shortcut):
        super().__init__()
        self.conv1 = nn.Conv2d(shape[0], width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        inputs, stages = width, []
        for stage in range(3):
            outputs = width << stage
            strides = [2 if stage else 1] + [1] * (blocks - 1)
            layers = []
            for stride in strides:
                layers.append(Block(inputs, outputs, stride, shortcut))
                inputs = outputs
            stages.append(nn.Sequential(*layers))
        self.stage1, self.stage2, self.stage3 = stages
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(inputs, classes)

    def forward(self, x):
        """x: [batch, channels, height, width]; returns logits [batch, classes]."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.stage3(self.stage2(self.stage1(x)))
        return self.linear(torch.flatten(self.pool(x), 1))


def make_network(arch, width, shape, classes=10, shortcut=True):
    """The network `arch` for images of `shape` (channels, height, width), initialised as He et al. do.

    width: channels of the first stage (16 in the ResNets' paper, 64 in VGG). shortcut: False removes all shortcuts of
    a ResNet. Raises ValueError for an unknown name, or no shortcuts asked of VGG-9, which has none.
    """
    if arch not in ARCHITECTURES:
        raise ValueError(f"unknown architecture '{arch}': choose one of {', '.join(ARCHITECTURES)}")
    if arch == "vgg9":
        if not shortcut:
            raise ValueError("vgg9 has no shortcuts to remove")
        net = Vgg9(shape, classes, width)
    else:
        net = ResNet(shape, classes, width, BLOCKS_A_STAGE[arch], shortcut)
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net
