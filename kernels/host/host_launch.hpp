#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/host/host_warp.hpp"
#include "kernels/host/host_warpgroup.hpp"

namespace lossmap::kernels {

/// Runs bodies on the host in the place of a launch on a device.
class HostLaunch {
public:
    explicit HostLaunch(bool reversed) : reversed_(reversed) {}

    /// body(point, index) for each point and each index below `count`.
    template <typename Body>
    void items(std::int64_t points, std::int64_t count, const Body& body) const {
        for_each(points, [&](std::int64_t point) { for_each(count, [&](std::int64_t index) { body(point, index); }); });
    }

    /// One block of Body::kThreads threads for each point and each block below `count`; what stands between two
    /// barriers is a phase, and all threads pass it before the next one begins.
    template <typename Body>
    void blocks(std::int64_t points, std::int64_t count, const Body& body) const {
        typename Body::Shared shared;
        std::vector<typename Body::Thread> threads(Body::kThreads);
        for_each(points, [&](std::int64_t point) {
            for_each(count, [&](std::int64_t block) {
                // Shared memory starts with rubbish: floating-point numbers in it are NaN.
                std::memset(static_cast<void*>(&shared), 0xff, sizeof(shared));
                threads.assign(Body::kThreads, {});
                const int phases = body.phases();
                for (int phase = 0; phase < phases; ++phase) {
                    for_each(Body::kThreads, [&](std::int64_t thread) {
                        body.phase(phase, point, block, static_cast<int>(thread), shared,
                                   threads[static_cast<std::size_t>(thread)]);
                    });
                }
            });
        });
    }

    /// body.run(block, item) for each item, with blocks of Body::kWarps warps whose lanes run in step.
    template <typename Body>
    void warps(std::int64_t items, const Body& body) const {
        HostBlock<Body> block(reversed_);
        for_each(items, [&](std::int64_t item) {
            block.restart();
            body.run(block, item);
        });
    }

    /// body.run(block, first, step, items), with blocks of Body::kWarpgroups warpgroups that share the items.
    template <typename Body>
    void warpgroups(std::int64_t items, const Body& body) const {
        const std::int64_t blocks =
            body.args.max_blocks > 0 ? std::min<std::int64_t>(items, body.args.max_blocks) : items;
        for_each(blocks, [&](std::int64_t first) {
            HostWarpgroupBlock<Body> block(!reversed_);
            body.run(block, first, blocks, items);
        });
    }

private:
    template <typename Visit>
    void for_each(std::int64_t count, const Visit& visit) const {
        for (std::int64_t k = 0; k < count; ++k)
            visit(reversed_ ? count - 1 - k : k);
    }

    bool reversed_;
};

}  // namespace lossmap::kernels
