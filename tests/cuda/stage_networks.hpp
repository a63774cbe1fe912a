#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "cuda/backend/cuda_backend.hpp"
#include "tests/support/host_device.hpp"
#include "tests/support/network_runner.hpp"

/// Networks with chains of convolutions that stage kernels take, and an emulated device to run them on.
namespace lossmap::test {

using Handle = ReferenceNet::Handle;

inline Handle block(ReferenceNet& net, Handle x, std::int64_t channels) {
    const Handle inner = net.relu(net.batch_norm(net.conv(x, channels, 3, 1, 1)));
    return net.relu(net.add(net.batch_norm(net.conv(inner, channels, 3, 1, 1)), x));
}

/// The first block of a stage: half the pixels, twice the channels.
inline Handle entry(ReferenceNet& net, Handle x, std::int64_t channels) {
    const Handle inner = net.relu(net.batch_norm(net.conv(x, channels, 3, 2, 1)));
    return net.relu(net.add(net.batch_norm(net.conv(inner, channels, 3, 1, 1)), net.padded_shortcut(x, channels)));
}

/// The same with a convolution as its shortcut.
inline Handle projected_entry(ReferenceNet& net, Handle x, std::int64_t channels) {
    const Handle inner = net.relu(net.batch_norm(net.conv(x, channels, 3, 2, 1)));
    const Handle main = net.batch_norm(net.conv(inner, channels, 3, 1, 1));
    return net.relu(net.add(main, net.batch_norm(net.conv(x, channels, 1, 2, 0))));
}

using Entry = Handle (*)(ReferenceNet&, Handle, std::int64_t);

/// A residual network for [3, side, side] in small: one block at each resolution and the way down to the next.
inline ReferenceNet three_stages(Entry next = entry, std::int64_t channels = 16, std::int64_t side = 32) {
    ReferenceNet net({3, side, side}, 21);
    Handle x = block(net, net.relu(net.batch_norm(net.conv(net.input(), channels, 3, 1, 1))), channels);
    x = block(net, next(net, x, 2 * channels), 2 * channels);
    x = block(net, next(net, x, 4 * channels), 4 * channels);
    net.output(net.gemm(net.flatten(net.global_average_pool(x)), 5, true));
    return net;
}

/// 64 channels of 8 x 8; `build` makes the middle of it.
inline ReferenceNet wide_net(const std::function<Handle(ReferenceNet&, Handle)>& build) {
    ReferenceNet net({3, 8, 8}, 22);
    const Handle x = build(net, net.relu(net.conv(net.input(), 64, 5, 1, 2, 1, true)));
    net.output(net.gemm(net.flatten(net.global_average_pool(x)), 5, true));
    return net;
}

/// Sample 3 of wide_net(block) is large, and a norm in the chain makes a hundred times more of it: sums near 1e6, of
/// both signs.
inline void overflow_sample_3(NetworkRunner& runner) {
    auto inputs = const_cast<SampleChunk&>(runner.chunk()).inputs[0].as<float>();
    for (std::size_t k = std::size_t{3} * 3 * 64; k < std::size_t{4} * 3 * 64; ++k)
        inputs[k] *= 1e4F;
    for (float& weight : runner.net().origin().weights)
        weight *= 2.0F;
}

struct Emulated {
    std::shared_ptr<HostDevice> device;
    NetworkRunner runner;

    explicit Emulated(ReferenceNet net, std::int64_t samples = 3, const HostDeviceOptions& options = small_tiles(),
                      Precision precision = Precision::fp16)
        : device(std::make_shared<HostDevice>(options)),
          runner(std::move(net), samples, 5, std::shared_ptr<Backend>(cuda::make_cuda_backend({device}))) {
        runner.request().precision = precision;
        runner.request().tile_samples = 2;
    }

    /// Room for four images of 64 channels, and two points: the emulation is slow.
    static HostDeviceOptions small_tiles() {
        HostDeviceOptions options;
        options.shared_bytes = 163 << 10;
        options.most_points = 2;
        return options;
    }

    /// First convolutions of the launches of a stage kernel.
    [[nodiscard]] std::vector<std::string> stages(const std::string& kernel = "stage") const {
        std::vector<std::string> names;
        const nlohmann::json record = plan();
        for (const auto& one : record.at("operations").at("per_tile"))
            if (one.at("by") == "kernel " + kernel) names.push_back(one.at("name"));
        return names;
    }
    [[nodiscard]] nlohmann::json plan() const { return nlohmann::json::parse(runner.compile()->plan_json()); }
    /// Convolutions in each launch.
    [[nodiscard]] std::vector<std::size_t> lengths() const {
        std::vector<std::size_t> result;
        const nlohmann::json record = plan();
        for (const auto& names : record.at("stages"))
            result.push_back(names.size());
        return result;
    }
    /// Why the convolutions that no stage holds are outside, in order.
    [[nodiscard]] std::vector<std::string> reasons() const {
        std::vector<std::string> result;
        const nlohmann::json record = plan();
        if (!record.contains("outside_stages")) return result;
        for (const auto& one : record.at("outside_stages"))
            result.push_back(one.at("because"));
        return result;
    }
};

}  // namespace lossmap::test
