#include <cmath>

#include <fmt/format.h>

#include "kernel_case.hpp"

namespace lossmap::kernels::test {
namespace {

struct GemmCase {
    std::string name;
    std::int64_t batches, m, n, k;
    bool transpose_a = false;
    bool transpose_b = false;
    bool shared_a = false;
    DType type = DType::f32;
    bool addend = true;
};

/// Against sums in fp64 written out here.
KernelCase gemm_case(const GemmCase& c) {
    constexpr std::int64_t kPoints = 2;
    const auto a = std::make_shared<Tensor>(
        as_storage(random_floats({c.shared_a ? 1 : kPoints, c.batches, c.m, c.k}, 201), c.type));
    const auto b = std::make_shared<Tensor>(as_storage(random_floats({kPoints, c.batches, c.k, c.n}, 202), c.type));
    const auto bias = std::make_shared<Tensor>(random_floats({kPoints, c.n}, 203));
    const std::int64_t count = c.batches * c.m * c.n;
    const MatrixStrides a_strides = c.transpose_a ? MatrixStrides{1, c.m, c.m * c.k} : MatrixStrides{c.k, 1, c.m * c.k};
    const MatrixStrides b_strides = c.transpose_b ? MatrixStrides{1, c.k, c.k * c.n} : MatrixStrides{c.n, 1, c.k * c.n};
    return {"gemm", c.name,
            [=](Device& device) {
                GemmArgs args;
                args.a = device.input(*a, c.shared_a ? 0 : kPoints);
                args.b = device.input(*b, kPoints);
                if (c.addend) args.addend = device.input(*bias, kPoints);
                args.out = device.output(c.type, kPoints, count);
                args.points = kPoints;
                args.batches = c.batches;
                args.m = c.m;
                args.n = c.n;
                args.k = c.k;
                args.a_strides = a_strides;
                args.b_strides = b_strides;
                args.addend_strides = {0, 1, 0};
                args.out_strides = {c.n, 1, c.m * c.n};
                args.alpha = 0.5F;
                args.beta = 2.0F;
                args.activation = {UnaryOp::relu, 0, 0};
                device.table().gemm(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, count));
            },
            [=] {
                const std::vector<double> x = numbers_of(*a), y = numbers_of(*b), z = numbers_of(*bias);
                std::vector<double> out;
                for (std::int64_t point = 0; point < kPoints; ++point) {
                    for (std::int64_t flat = 0; flat < count; ++flat) {
                        const std::int64_t batch = flat / (c.m * c.n), row = flat / c.n % c.m, column = flat % c.n;
                        double sum = 0.0;
                        for (std::int64_t k = 0; k < c.k; ++k) {
                            const std::int64_t left = (c.shared_a ? 0 : point * c.batches * c.m * c.k) +
                                                      batch * a_strides.batch + row * a_strides.row +
                                                      k * a_strides.column;
                            const std::int64_t right = point * c.batches * c.k * c.n + batch * b_strides.batch +
                                                       k * b_strides.row + column * b_strides.column;
                            sum += x[static_cast<std::size_t>(left)] * y[static_cast<std::size_t>(right)];
                        }
                        sum = 0.5 * sum + (c.addend ? 2.0 * z[static_cast<std::size_t>(point * c.n + column)] : 0.0);
                        out.push_back(sum < 0.0 ? 0.0 : sum);
                    }
                }
                return list_of(Tensor::from<double>(out, {kPoints, count}));
            },
            // k products of numbers below 1, each rounded relative to a sum of at most about sqrt(k).
            6e-8 * static_cast<double>(c.k)};
}

}  // namespace

std::vector<KernelCase> matrix_cases() {
    std::vector<KernelCase> cases;
    for (const GemmCase& one :
         std::vector<GemmCase>{{"plain", 1, 5, 7, 9},
                               {"many_tiles", 1, 70, 130, 40, false, false, true},
                               {"transposed_a", 2, 17, 10, 33, true, false},
                               {"transposed_b", 2, 17, 10, 33, false, true},
                               {"both_transposed_no_addend", 3, 4, 66, 16, true, true, false, DType::f32, false},
                               {"half", 2, 20, 30, 40, false, true, false, DType::f16},
                               {"bfloat", 2, 20, 30, 40, false, false, false, DType::bf16}})
        cases.push_back(gemm_case(one));
    return cases;
}

}  // namespace lossmap::kernels::test
