// What blocks of a dense chain have, and that its bits do not depend on what else a pass holds.
#include <cstring>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "dense_chain.hpp"

namespace lossmap::kernels::test {
namespace {

DenseChainArgs shape_of(std::vector<std::int32_t> widths, std::int64_t points = 1, std::int64_t rows = 128) {
    DenseChainArgs args;
    args.points = points;
    args.rows = rows;
    args.layers = static_cast<int>(widths.size()) - 1;
    for (std::size_t k = 0; k < widths.size(); ++k)
        args.widths[k] = widths[k];
    return args;
}

std::vector<float> results_of(const DenseChainArgs& args, Device& device) {
    device.table().dense_chain(args, device.queue());
    const Tensor out = device.fetch(args.out, args.points, args.rows * args.widths[args.layers]);
    return {out.as<float>().begin(), out.as<float>().end()};
}

TEST(DenseChainShape, HasAsManyRowsAsTheWidestResultLeavesRoomForWhereBlocksAreMany) {
    EXPECT_EQ(dense_rows_of(shape_of({64, 48, 32, 10}, 521)), 128);
    EXPECT_EQ(dense_rows_of(shape_of({64, 48, 32, 10}, 1)), 32);
    EXPECT_EQ(dense_rows_of(shape_of({64, 48, 32, 10}, 140)), 64);
    EXPECT_EQ(dense_rows_of(shape_of({5000, 65, 10}, 521)), 64);
    EXPECT_EQ(dense_rows_of(shape_of({64, 129, 10}, 521)), 32);
    EXPECT_EQ(dense_rows_of(shape_of({64, 257, 10}, 521)), 0);
}

TEST(DenseChainShape, PiecesOfAllWidthsFitAndCoverTheInputs) {
    for (const int rows : {128, 64, 32}) {
        for (std::int32_t width = 1; width <= DenseBlock::most_width(rows); ++width) {
            for (const std::int32_t inputs : {1, 3, 48, 54, 55, 96, 256, 785}) {
                const DenseChainArgs args = shape_of({inputs, width, width});
                const DenseLayer first = dense::layer_of(args, 0, rows, nullptr);
                const DenseLayer second = dense::layer_of(args, 1, rows, &first);
                for (const DenseLayer& layer : {first, second}) {
                    EXPECT_EQ(layer.piece % 4, 0);
                    EXPECT_LE(layer.piece * layer.stored, DenseBlock::kWeights);
                    EXPECT_GE(layer.piece * layer.pieces, layer.inputs);
                    EXPECT_LT(layer.piece * (layer.pieces - 1), layer.inputs);
                    EXPECT_LE(layer.stored / 8 * (rows / 8), DenseBlock::kThreads);
                }
                EXPECT_LE(first.piece, DenseBlock::most_width(rows)) << "inputs lie where results do";
                EXPECT_EQ(second.weights, inputs * first.stored);
                EXPECT_EQ(second.first_phase, 2 * first.pieces + 1);
            }
        }
    }
}

TEST(DenseChainShape, WiderLayersTakeLongerAndCompanyTakesMoreThanNothing) {
    const DenseChainBlocks narrow = dense_blocks_of(shape_of({64, 48, 32, 10}));
    const DenseChainBlocks wide = dense_blocks_of(shape_of({64, 64, 64, 10}));
    EXPECT_EQ(narrow.rows, 128);
    EXPECT_GT(wide.cycles, narrow.cycles);
    EXPECT_GT(narrow.alone_cycles, narrow.cycles);
    EXPECT_LT(narrow.alone_cycles, DenseBlock::kResidentBlocks * narrow.cycles);
    EXPECT_EQ(dense_blocks_of(shape_of({64, 300})).rows, 0);
}

TEST(DenseChain, BitsOfAPointDoNotDependOnWhatElseAPassHolds) {
    const UnaryFunction mish{UnaryOp::mish}, none{};
    const DenseChainJob job({"", 131, {20, 33, 17, 9}, {mish, mish, none}, DType::f32, false, 140});
    HostDevice device(host_kernels());
    const std::vector<float> all = results_of(job.args(device), device);
    ASSERT_NE(dense_rows_of(job.args(device)), dense_rows_of(job.args(device, 7, 1, 131)));
    for (const std::int64_t point : {0, 7, 139}) {
        for (const std::int64_t rows : {131, 40, 1}) {
            const std::vector<float> own = results_of(job.args(device, point, 1, rows), device);
            EXPECT_EQ(std::memcmp(own.data(), all.data() + point * 131 * 9, own.size() * sizeof(float)), 0)
                << point << ", " << rows;
        }
    }
}

TEST(DenseChain, RefusesWhatItDoesNotCompute) {
    HostDevice device(host_kernels());
    const UnaryFunction none{};
    const DenseChainJob job({"", 3, {8, 8}, {none}});
    const DenseChainArgs sound = job.args(device);
    EXPECT_NO_THROW(device.table().dense_chain(sound, device.queue()));
    const auto refuses = [&](auto change) {
        DenseChainArgs args = sound;
        change(args);
        EXPECT_THROW(device.table().dense_chain(args, device.queue()), InternalError);
    };
    refuses([](DenseChainArgs& args) { args.layers = 0; });
    refuses([](DenseChainArgs& args) { args.layers = 17; });
    refuses([](DenseChainArgs& args) { args.widths[1] = 257; });
    refuses([](DenseChainArgs& args) { args.widths[0] = 0; });
    refuses([](DenseChainArgs& args) { args.in.type = DType::i32; });
    refuses([](DenseChainArgs& args) { args.bias.type = DType::f16; });
    refuses([](DenseChainArgs& args) { args.activations[0].op = UnaryOp::sin; });
    refuses([](DenseChainArgs& args) { args.activations[0].op = UnaryOp::is_nan; });
    refuses([](DenseChainArgs& args) { args.weights.data = static_cast<const float*>(args.weights.data) + 1; });
    refuses([](DenseChainArgs& args) { args.bias.point_stride = 12; });
}

}  // namespace
}  // namespace lossmap::kernels::test
