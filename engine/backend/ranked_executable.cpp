#include "backend/ranked_executable.hpp"

#include <cstring>
#include <type_traits>

#include "backend/point_parts.hpp"
#include "core/error.hpp"

namespace lossmap {

RankedExecutable::RankedExecutable(RankAgreement& ranks, Executable& own) : ranks_(ranks), own_(own) {
    const std::string plan = own.plan_json();
    if (ranks_.from_root(plan) == plan) {
        ranks_.together([] {});
        return;
    }
    ranks_.together([] {
        throw UnsupportedError(
            "this machine would compute the network in another way than rank 0's, so that results would depend on "
            "which rank a point falls to; use machines of one kind");
    });
}

void RankedExecutable::evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) {
    static_assert(std::is_trivially_copyable_v<LossSums>);
    if (sums.size() != points.size()) throw InternalError("{} sums for {} points", sums.size(), points.size());
    const auto pass = static_cast<std::size_t>(own_.points_per_pass());
    const auto part_of = [&](int rank) {
        return point_part(points.size(), pass, static_cast<std::size_t>(ranks_.size()), static_cast<std::size_t>(rank));
    };
    const PointPart part = part_of(ranks_.rank());
    std::vector<LossSums> own(part.count);
    if (part.count > 0) own_.evaluate(points.subspan(part.first, part.count), chunk, own);
    const auto all = ranks_.meet(std::as_bytes(std::span(own)));
    for (int rank = 0; rank < ranks_.size(); ++rank) {
        const PointPart theirs = part_of(rank);
        const std::vector<std::byte>& bytes = all[static_cast<std::size_t>(rank)];
        if (bytes.size() != theirs.count * sizeof(LossSums))
            throw InternalError("rank {} brought {} bytes for {} points", rank, bytes.size(), theirs.count);
        std::memcpy(sums.data() + theirs.first, bytes.data(), bytes.size());
    }
}

}  // namespace lossmap
