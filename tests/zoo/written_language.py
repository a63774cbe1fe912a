"""Small language models for written_networks.py: Llama, GPT-2, BERT, T5 and nn.Transformer as their authors build them."""

import math

import torch
import torch.nn.functional as F
from torch import nn

CLASSES = 10
WORDS = 40
LENGTH = 9


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


def rotated(x):
    """Rotary position embedding of [N, heads, T, width]; angles are a table of constants."""
    half = x.shape[-1] // 2
    angles = torch.arange(LENGTH)[:, None] / 100.0 ** (torch.arange(half)[None] / half)
    cos, sin = torch.cat([angles.cos()] * 2, -1), torch.cat([angles.sin()] * 2, -1)
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


class LlamaLayer(nn.Module):
    """Grouped-query attention with rotary positions, SwiGLU."""

    def __init__(self, width=32, heads=4, groups=2):
        super().__init__()
        self.heads, self.groups, self.size = heads, groups, width // heads
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, groups * self.size, bias=False)
        self.v_proj = nn.Linear(width, groups * self.size, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)
        self.gate_proj, self.up_proj = nn.Linear(width, 48, bias=False), nn.Linear(width, 48, bias=False)
        self.down_proj = nn.Linear(48, width, bias=False)
        self.input_norm, self.post_norm = RMSNorm(width), RMSNorm(width)

    def forward(self, x):
        n, t, width = x.shape
        h = self.input_norm(x)
        q = rotated(self.q_proj(h).view(n, t, self.heads, -1).transpose(1, 2))
        k = rotated(self.k_proj(h).view(n, t, self.groups, -1).transpose(1, 2))
        v = self.v_proj(h).view(n, t, self.groups, -1).transpose(1, 2)
        repeats = self.heads // self.groups
        k = k[:, :, None].expand(n, self.groups, repeats, t, self.size).reshape(n, self.heads, t, self.size)
        v = v[:, :, None].expand(n, self.groups, repeats, t, self.size).reshape(n, self.heads, t, self.size)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o_proj(y.transpose(1, 2).reshape(n, t, width))
        h = self.post_norm(x)
        return x + self.down_proj(F.silu(self.gate_proj(h)) * self.up_proj(h))


class Llama(nn.Module):
    """Next-token scores [N, classes, T]."""

    def __init__(self):
        super().__init__()
        self.embed_tokens = nn.Embedding(WORDS, 32)
        self.layers = nn.ModuleList(LlamaLayer() for _ in range(2))
        self.norm = RMSNorm(32)
        self.lm_head = nn.Linear(32, CLASSES, bias=False)

    def forward(self, tokens):
        x = self.embed_tokens(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.lm_head(self.norm(x)).transpose(1, 2)


class Conv1D(nn.Module):
    """GPT-2's linear layer: the weight is stored [in, out]."""

    def __init__(self, outputs, inputs):
        super().__init__()
        self.weight = nn.Parameter(0.1 * torch.randn(inputs, outputs))
        self.weight.output_axis = 1
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        shape = x.shape[:-1] + (self.weight.shape[1],)
        return torch.addmm(self.bias, x.reshape(-1, x.shape[-1]), self.weight).view(shape)


class Gpt2Block(nn.Module):
    def __init__(self, width=32, heads=4):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.c_proj = Conv1D(3 * width, width), Conv1D(width, width)
        self.c_fc, self.c_out = Conv1D(4 * width, width), Conv1D(width, 4 * width)
        self.register_buffer("mask", torch.tril(torch.ones(LENGTH, LENGTH, dtype=torch.bool)))

    def forward(self, x):
        n, t, width = x.shape
        q, k, v = (y.view(n, t, self.heads, -1).transpose(1, 2) for y in self.c_attn(self.ln_1(x)).split(width, 2))
        scores = q @ k.transpose(-1, -2) / math.sqrt(width // self.heads)
        scores = torch.where(self.mask[:t, :t], scores, torch.finfo(scores.dtype).min)
        x = x + self.c_proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, width))
        h = self.c_fc(self.ln_2(x))
        return x + self.c_out(0.5 * h * (1 + torch.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h.pow(3)))))


class Gpt2(nn.Module):
    """The output layer is tied to the token embedding."""

    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(CLASSES, 32), nn.Embedding(LENGTH, 32)
        self.h = nn.ModuleList(Gpt2Block() for _ in range(2))
        self.ln_f = nn.LayerNorm(32)

    def forward(self, tokens):
        x = self.wte(tokens % CLASSES) + self.wpe(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.h:
            x = block(x)
        return F.linear(self.ln_f(x), self.wte.weight).transpose(1, 2)


class Bert(nn.Module):
    """Token, position and type embeddings, padding mask as a second input, pooled first token."""

    def __init__(self, width=32, heads=4):
        super().__init__()
        self.heads = heads
        self.words, self.positions, self.types = nn.Embedding(WORDS, width), nn.Embedding(LENGTH, width), nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(nn.ModuleDict({
            "query": nn.Linear(width, width), "key": nn.Linear(width, width), "value": nn.Linear(width, width),
            "output": nn.Linear(width, width), "norm_1": nn.LayerNorm(width), "wide": nn.Linear(width, 64),
            "narrow": nn.Linear(64, width), "norm_2": nn.LayerNorm(width)}) for _ in range(2))
        self.pooler, self.classifier = nn.Linear(width, width), nn.Linear(width, CLASSES)

    def forward(self, tokens, mask):
        n, t = tokens.shape
        places = torch.arange(t, device=tokens.device)[None]
        x = self.norm(self.words(tokens) + self.positions(places) + self.types(torch.zeros_like(tokens)))
        bias = (1.0 - mask[:, None, None, :]) * -10000.0
        for layer in self.layers:
            q, k, v = (layer[name](x).view(n, t, self.heads, -1).permute(0, 2, 1, 3)
                       for name in ("query", "key", "value"))
            scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + bias).softmax(-1)
            x = layer["norm_1"](x + layer["output"]((scores @ v).permute(0, 2, 1, 3).reshape(n, t, -1)))
            x = layer["norm_2"](x + layer["narrow"](F.gelu(layer["wide"](x))))
        return self.classifier(torch.tanh(self.pooler(x[:, 0])))


class T5Attention(nn.Module):
    def __init__(self, width=32, heads=4, causal=False, positions=True):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.q, self.k = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.v, self.o = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.relative_attention_bias = nn.Embedding(8, heads) if positions else None

    def forward(self, x, memory):
        n, t, width = x.shape
        q, k, v = (layer(y).view(n, y.shape[1], self.heads, -1).transpose(1, 2)
                   for layer, y in ((self.q, x), (self.k, memory), (self.v, memory)))
        scores = torch.einsum("nhqd,nhkd->nhqk", q, k)
        if self.relative_attention_bias is not None:
            distance = torch.arange(memory.shape[1])[None] - torch.arange(t)[:, None]
            buckets = (distance.clamp(-4, 3) + 4).to(torch.long)
            scores = scores + self.relative_attention_bias(buckets).permute(2, 0, 1)[None]
        if self.causal:
            scores = scores.masked_fill(torch.ones(t, t, dtype=torch.bool).triu(1), float("-inf"))
        return self.o(torch.einsum("nhqk,nhkd->nhqd", scores.softmax(-1), v).transpose(1, 2).reshape(n, t, width))


class T5(nn.Module):
    """Encoder and decoder over the same tokens, relative position biases, gated feed-forward."""

    def __init__(self, width=32):
        super().__init__()
        self.shared = nn.Embedding(WORDS, width)
        self.encoder, self.decoder = T5Attention(width), T5Attention(width, causal=True)
        self.cross = T5Attention(width, positions=False)
        self.norms = nn.ModuleList(RMSNorm(width) for _ in range(5))
        self.wi_0, self.wi_1, self.wo = nn.Linear(width, 48, bias=False), nn.Linear(width, 48, bias=False), nn.Linear(
            48, width, bias=False)
        self.lm_head = nn.Linear(width, CLASSES, bias=False)

    def forward(self, tokens):
        x = self.shared(tokens)
        h = self.norms[0](x)
        memory = self.norms[1](x + self.encoder(h, h))
        y = self.shared(tokens.flip(1))
        h = self.norms[2](y)
        y = y + self.decoder(h, h)
        y = y + self.cross(self.norms[3](y), memory)
        h = self.norms[4](y)
        y = y + self.wo(F.gelu(self.wi_0(h), approximate="tanh") * self.wi_1(h))
        return self.lm_head(y * y.shape[-1] ** -0.5).transpose(1, 2)


class TorchTransformer(nn.Module):
    """nn.TransformerEncoder and nn.TransformerDecoder as they come."""

    def __init__(self, batch_first=True):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 32)
        self.batch_first = batch_first
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(32, 4, 48, batch_first=batch_first, norm_first=True, activation="gelu"), 2,
            norm=nn.LayerNorm(32), enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(32, 2, 48, batch_first=batch_first), 1)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, tokens):
        x = self.embedding(tokens) * math.sqrt(32)
        x = x if self.batch_first else x.transpose(0, 1)
        y = self.decoder(x, self.encoder(x))
        return self.head(y.mean(1 if self.batch_first else 0))
