"""Small networks of the kinds that users bring, written plainly in PyTorch: language models, encoders, speech, images, graphs.

make(name) returns (network, example inputs): inputs with the batch in front; the output is class scores, [N, 10] or
[N, 10, ..]. No network holds a random number at inference.
"""

import torch
import torch.nn.functional as F
from torch import nn
from written_language import CLASSES, LENGTH, WORDS, Bert, Gpt2, Llama, T5, TorchTransformer


class Conformer(nn.Module):
    """Speech block over [N, T, features]: half-step feed-forward, attention, gated depthwise convolution."""

    def __init__(self, width=24):
        super().__init__()
        self.subsample = nn.Conv2d(1, 4, 3, 2, 1)
        self.project = nn.Linear(4 * 8, width)
        self.feed = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 48), nn.SiLU(), nn.Linear(48, width))
        self.attention_norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.conv_norm = nn.LayerNorm(width)
        self.pointwise, self.depthwise = nn.Conv1d(width, 2 * width, 1), nn.Conv1d(width, width, 5, padding=2, groups=width)
        self.batch_norm, self.last = nn.BatchNorm1d(width), nn.Conv1d(width, width, 1)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x):
        x = F.relu(self.subsample(x[:, None]))
        n, c, t, f = x.shape
        x = self.project(x.permute(0, 2, 1, 3).reshape(n, t, c * f))
        x = x + 0.5 * self.feed(x)
        h = self.attention_norm(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        h = F.glu(self.pointwise(self.conv_norm(x).transpose(1, 2)), 1)
        x = x + self.last(F.silu(self.batch_norm(self.depthwise(h)))).transpose(1, 2)
        return self.head(x).log_softmax(-1).transpose(1, 2)


class WaveNet(nn.Module):
    """Causal dilated convolutions with gates, weight norm and skip connections."""

    def __init__(self, width=12):
        super().__init__()
        norm = nn.utils.parametrizations.weight_norm
        self.first = nn.Conv1d(3, width, 1)
        self.gates = nn.ModuleList(norm(nn.Conv1d(width, 2 * width, 2, dilation=2 ** k)) for k in range(3))
        self.skips = nn.ModuleList(nn.Conv1d(width, 16, 1) for _ in range(3))
        self.rests = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(2))
        self.last = nn.Sequential(nn.ReLU(), nn.Conv1d(16, 16, 1), nn.ReLU(), nn.Conv1d(16, CLASSES, 1))

    def forward(self, x):
        x, total = self.first(x), 0
        for k, (gate, skip) in enumerate(zip(self.gates, self.skips)):
            a, b = gate(F.pad(x, (2 ** k, 0))).chunk(2, 1)
            h = torch.tanh(a) * torch.sigmoid(b)
            total = total + skip(h)
            if k < len(self.rests):
                x = x + self.rests[k](h)
        return self.last(total)


class UNet(nn.Module):
    """Diffusion style: group norms, time embedding as a second input, attention in the middle, nearest upsampling."""

    def __init__(self, width=16):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(16, width), nn.SiLU(), nn.Linear(width, width))
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.norm_1, self.conv_1 = nn.GroupNorm(4, width), nn.Conv2d(width, width, 3, padding=1)
        self.down = nn.Conv2d(width, width, 3, 2, 1)
        self.qkv, self.out = nn.Conv2d(width, 3 * width, 1), nn.Conv2d(width, width, 1)
        self.up = nn.Conv2d(2 * width, width, 3, padding=1)
        self.norm_2, self.tail = nn.GroupNorm(4, width), nn.Conv2d(width, CLASSES, 3, padding=1)

    def forward(self, x, step):
        angles = step[:, :1] * torch.exp(torch.arange(8) * -0.7)
        time = self.time(torch.cat([angles.sin(), angles.cos()], 1))
        x = self.head(x)
        x = x + self.conv_1(F.silu(self.norm_1(x))) + time[:, :, None, None]
        h = self.down(x)
        n, c, height, width = h.shape
        q, k, v = self.qkv(h).reshape(n, 3, c, height * width).unbind(1)
        h = h + self.out((v @ (q.transpose(1, 2) @ k * c ** -0.5).softmax(-1).transpose(1, 2)).reshape(n, c, height, width))
        h = torch.cat([F.interpolate(h, scale_factor=2.0, mode="nearest"), x], 1)
        return self.tail(F.silu(self.norm_2(self.up(h))))


class Seq2Seq(nn.Module):
    """Bidirectional LSTM encoder, attention, LSTM decoder."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 12)
        self.encoder = nn.LSTM(12, 10, num_layers=2, bidirectional=True, batch_first=True)
        self.decoder = nn.LSTM(12, 20, batch_first=True)
        self.bridge, self.head = nn.Linear(20, 20), nn.Linear(40, CLASSES)

    def forward(self, tokens):
        x = self.embedding(tokens)
        memory, (h, _) = self.encoder(x)
        start = torch.tanh(self.bridge(torch.cat([h[-2], h[-1]], 1)))[None]
        y, _ = self.decoder(x, (start, torch.zeros_like(start)))
        weights = (y @ memory.transpose(1, 2)).softmax(-1)
        return self.head(torch.cat([y, weights @ memory], -1)).transpose(1, 2)


class GruTagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(6, 14, num_layers=2, bidirectional=True, batch_first=True)
        self.rnn = nn.RNN(28, 9, nonlinearity="relu")
        self.head = nn.Linear(9, CLASSES)

    def forward(self, x):
        y, _ = self.gru(x)
        z, last = self.rnn(y.transpose(0, 1))
        return self.head(last[0] + z.mean(0))


class GraphNetwork(nn.Module):
    """Message passing over a fixed edge list: gather, linear layer, index_add (ScatterND / ScatterElements)."""

    def __init__(self):
        super().__init__()
        self.register_buffer("source", torch.tensor([0, 1, 2, 3, 4, 5, 0, 2, 4]))
        self.register_buffer("target", torch.tensor([1, 2, 3, 4, 5, 0, 3, 5, 1]))
        self.message, self.update = nn.Linear(16, 16), nn.GRUCell(16, 8)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x):
        for _ in range(2):
            messages = torch.relu(self.message(torch.cat([x[:, self.source], x[:, self.target]], -1)))
            pooled = torch.zeros(x.shape[0], 6, 16).index_add(1, self.target, messages)
            x = self.update(pooled.reshape(-1, 16), x.reshape(-1, 8)).reshape(x.shape)
        return self.head(x.amax(1))


class Recommender(nn.Module):
    """Several inputs: categories through embedding bags of different sizes, numbers, a factorisation-machine product."""

    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, 6) for size in (40, 40, 40))
        self.dense = nn.Sequential(nn.Linear(5, 12), nn.PReLU(), nn.BatchNorm1d(12), nn.Linear(12, 6))
        self.head = nn.Sequential(nn.Linear(6 + 6, 16), nn.Hardswish(), nn.Linear(16, CLASSES))

    def forward(self, categories, numbers):
        fields = [table(categories[:, k]) for k, table in enumerate(self.tables)] + [self.dense(numbers)]
        stack = torch.stack(fields, 1)
        products = torch.bmm(stack, stack.transpose(1, 2))
        row, column = torch.triu_indices(4, 4, 1)
        return self.head(torch.cat([products[:, row, column], fields[-1]], 1))


class MixtureOfExperts(nn.Module):
    """Every expert runs, the best two count: TopK, scatter, einsum with stacked weights."""

    def __init__(self):
        super().__init__()
        self.router = nn.Linear(12, 4, bias=False)
        self.w_in, self.w_out = nn.Parameter(0.3 * torch.randn(4, 12, 20)), nn.Parameter(0.3 * torch.randn(4, 20, 12))
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x):
        gates = self.router(x).softmax(-1)
        best, index = gates.topk(2, -1)
        weights = torch.zeros_like(gates).scatter(-1, index, best / best.sum(-1, keepdim=True))
        h = F.gelu(torch.einsum("nd,edh->neh", x, self.w_in))
        return self.head(x + torch.einsum("neh,ehd,ne->nd", h, self.w_out, weights))


class StateSpace(nn.Module):
    """A linear recurrence computed with a cumulative sum, gated as Mamba's are."""

    def __init__(self, width=12):
        super().__init__()
        self.in_proj = nn.Linear(6, 2 * width)
        self.conv = nn.Conv1d(width, width, 3, padding=2, groups=width)
        self.decay, self.skip = nn.Parameter(torch.rand(width)), nn.Parameter(torch.ones(width))
        self.out = nn.Linear(width, CLASSES)

    def forward(self, x):
        u, gate = self.in_proj(x).chunk(2, -1)
        u = F.silu(self.conv(u.transpose(1, 2))[..., :x.shape[1]].transpose(1, 2))
        steps = -F.softplus(self.decay) * torch.arange(x.shape[1])[:, None]
        state = torch.cumsum(u * torch.exp(-steps), 1) * torch.exp(steps)
        return self.out((state + self.skip * u) * F.silu(gate)).transpose(1, 2)


class Tricks(nn.Module):
    """Operators that nothing else here has: instance norm, transposed convolution, pixel shuffle, odd pools, norms."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
        self.norm, self.local = nn.InstanceNorm2d(8, affine=True), nn.LocalResponseNorm(3)
        self.up = nn.ConvTranspose2d(8, 6, 4, 2, 1)
        self.shuffled = nn.Conv2d(8, 24, 1)
        self.pool = nn.LPPool2d(2, 2)
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.bilinear = nn.Bilinear(14, 14, 12)
        self.head = nn.utils.parametrizations.spectral_norm(nn.Linear(12, CLASSES))

    def forward(self, x):
        x = self.local(F.celu(self.norm(self.conv(x))))
        up = F.mish(self.up(x))
        shuffled = F.softsign(F.pixel_shuffle(self.shuffled(x), 2))
        resized = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        y = torch.cat([up * self.scale, shuffled, resized[:, :2]], 1)
        y = self.pool(F.pad(y, (1, 1, 1, 1), mode="replicate"))
        y = torch.cat([F.max_pool2d(y, 3, 2, ceil_mode=True).mean((2, 3)), y.std((2, 3))], 1)
        y = F.normalize(y, dim=1)
        a, b = y[:, :14], y[:, 10:24]
        return self.head(F.hardsigmoid(self.bilinear(a, b)))


def tokens():
    return torch.randint(WORDS, (4, LENGTH))


NETWORKS = {
    "llama": (Llama, lambda: (tokens(),)),
    "gpt2": (Gpt2, lambda: (tokens(),)),
    "bert": (Bert, lambda: (tokens(), (torch.rand(4, LENGTH) > 0.3).float())),
    "t5": (T5, lambda: (tokens(),)),
    "transformer": (TorchTransformer, lambda: (tokens(),)),
    "transformer_time_first": (lambda: TorchTransformer(False), lambda: (tokens(),)),
    "conformer": (Conformer, lambda: (torch.randn(4, 20, 16),)),
    "wavenet": (WaveNet, lambda: (torch.randn(4, 3, 15),)),
    "unet": (UNet, lambda: (torch.randn(4, 3, 12, 12), torch.rand(4, 1))),
    "seq2seq": (Seq2Seq, lambda: (tokens(),)),
    "gru": (GruTagger, lambda: (torch.randn(4, 7, 6),)),
    "graph": (GraphNetwork, lambda: (torch.randn(4, 6, 8),)),
    "recommender": (Recommender, lambda: (torch.randint(40, (4, 3)), torch.randn(4, 5))),
    "experts": (MixtureOfExperts, lambda: (torch.randn(4, 12),)),
    "state_space": (StateSpace, lambda: (torch.randn(4, 11, 6),)),
    "tricks": (Tricks, lambda: (torch.randn(4, 3, 10, 12),)),
}


def make(name):
    """(network, example inputs of 4 samples); deterministic."""
    torch.manual_seed(0)
    factory, inputs = NETWORKS[name]
    return factory(), inputs()
