#include <fmt/format.h>

#include "data/decoding.hpp"
#include "kernel_case.hpp"

namespace lossmap::kernels::test {
namespace {

/// Against the decoder that the data sets use.
KernelCase decode_case(const std::string& name, DType type, bool channels_last, std::int64_t padded, bool indexed) {
    constexpr std::int64_t kResident = 6, kSamples = 4, kChannels = 3, kPlane = 35;
    const auto bytes =
        std::make_shared<Tensor>(as_type(random_ints({kResident, kChannels, kPlane}, 7, 0, 256), DType::u8));
    const std::vector<std::int64_t> rows =
        indexed ? std::vector<std::int64_t>{5, 0, 3, 3} : std::vector<std::int64_t>{1, 2, 3, 4};
    const std::vector<float> mean{0.4F, 0.5F, 0.6F}, deviation{0.2F, 0.25F, 0.3F};
    std::vector<float> table(3 * 256);
    for (std::size_t k = 0; k < table.size(); ++k)
        table[k] = (static_cast<float>(k % 256) / 255.0F - mean[k / 256]) / deviation[k / 256];
    const std::int64_t count = kSamples * (channels_last ? padded : kChannels) * kPlane;
    return {"decode", fmt::format("{}_{}", name, name_of(type)),
            [=](Device& device) {
                const Output out = device.output(type, 1, count);
                DecodeArgs args;
                args.images = static_cast<const std::uint8_t*>(device.input(*bytes).data);
                args.sample_indices = indexed ? device.put(rows) : nullptr;
                args.first = 1;
                args.samples = kSamples;
                args.channels = kChannels;
                args.plane = kPlane;
                args.table = device.put(table);
                args.table_channels = kChannels;
                args.out = out.data;
                args.type = type;
                args.channels_last = channels_last;
                args.padded_channels = padded;
                device.table().decode(args, device.queue());
                return list_of(device.fetch(out, 1, count));
            },
            [=] {
                const InputDecoder decoder(DType::u8, mean, deviation);
                Tensor out(DType::f32, {count});
                std::fill_n(out.as<float>().data(), count, 0.0F);
                std::vector<float> sample(kChannels * kPlane);
                for (std::int64_t n = 0; n < kSamples; ++n) {
                    const auto* row = static_cast<const std::byte*>(bytes->data()) +
                                      rows[static_cast<std::size_t>(n)] * kChannels * kPlane;
                    decoder.decode({row, sample.size()}, sample);
                    for (std::int64_t c = 0; c < kChannels; ++c) {
                        for (std::int64_t p = 0; p < kPlane; ++p) {
                            const std::int64_t at =
                                channels_last ? (n * kPlane + p) * padded + c : (n * kChannels + c) * kPlane + p;
                            out.as<float>()[static_cast<std::size_t>(at)] =
                                sample[static_cast<std::size_t>(c * kPlane + p)];
                        }
                    }
                }
                return list_of(std::move(out));
            },
            0.0};
}

KernelCase layout_case(std::int64_t channels, std::int64_t padded, bool to_last, DType from, DType to) {
    constexpr std::int64_t kSamples = 3, kPlane = 14;
    const std::int64_t whole = kSamples * channels * kPlane;
    const std::int64_t wide = kSamples * padded * kPlane;
    const std::int64_t in_count = to_last ? whole : wide;
    const std::int64_t out_count = to_last ? wide : whole;
    // The padding of channels-last input is NaN: it must not be read.
    const auto values = std::make_shared<Tensor>(random_floats({2, in_count}, 17));
    if (!to_last) {
        for (std::int64_t k = 0; k < 2 * in_count; ++k) {
            if (k % padded >= channels) values->as<float>()[static_cast<std::size_t>(k)] = NAN;
        }
    }
    const auto in = std::make_shared<Tensor>(as_storage(*values, from));
    return {"channel_layout",
            fmt::format("{}_{}_of_{}_{}_{}", to_last ? "last" : "first", channels, padded, name_of(from), name_of(to)),
            [=](Device& device) {
                const Output out = device.output(to, 2, out_count);
                ChannelLayoutArgs args;
                args.in = device.input(*in, 2);
                args.out = out;
                args.points = 2;
                args.samples = kSamples;
                args.channels = channels;
                args.plane = kPlane;
                args.padded_channels = padded;
                args.to_channels_last = to_last;
                device.table().channel_layout(args, device.queue());
                return list_of(device.fetch(out, 2, out_count));
            },
            [=] {
                const Tensor source = as_floats(*in);
                Tensor out(DType::f32, {2, out_count});
                std::fill_n(out.as<float>().data(), 2 * out_count, 0.0F);
                for (std::int64_t n = 0; n < 2 * kSamples; ++n) {  // points and samples lie alike
                    for (std::int64_t c = 0; c < channels; ++c) {
                        for (std::int64_t p = 0; p < kPlane; ++p) {
                            const auto first = static_cast<std::size_t>((n * channels + c) * kPlane + p);
                            const auto last = static_cast<std::size_t>((n * kPlane + p) * padded + c);
                            out.as<float>()[to_last ? last : first] = source.as<float>()[to_last ? first : last];
                        }
                    }
                }
                return list_of(std::move(out));
            },
            0.0};
}

}  // namespace

std::vector<KernelCase> sample_cases() {
    std::vector<KernelCase> cases;
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
        cases.push_back(decode_case("padded_to_8", type, true, 8, false));
        cases.push_back(decode_case("padded_to_4", type, true, 4, true));
        cases.push_back(decode_case("planes", type, false, 0, true));
    }
    for (const bool to_last : {true, false}) {
        cases.push_back(layout_case(3, 8, to_last, DType::f32, DType::f16));
        cases.push_back(layout_case(12, 16, to_last, DType::f16, DType::f16));
        cases.push_back(layout_case(5, 5, to_last, DType::bf16, DType::f32));
        cases.push_back(layout_case(11, 11, to_last, DType::f32, DType::f32));
    }
    return cases;
}

}  // namespace lossmap::kernels::test
