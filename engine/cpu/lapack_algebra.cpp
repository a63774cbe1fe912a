#include "cpu/lapack_algebra.hpp"

#include <lapacke.h>

#include "core/error.hpp"
#include "cpu/cpu_info.hpp"
#include "cpu/gram_matrix.hpp"

namespace lossmap::cpu {
namespace {

class LapackAlgebra final : public LinearAlgebra {
public:
    explicit LapackAlgebra(int threads) : threads_(threads == 0 ? usable_threads() : threads) {
        if (threads < 0) throw InputError("{} threads were asked for", threads);
    }

    [[nodiscard]] std::string implementation() const override { return "LAPACK dsyevd"; }

protected:
    void add_products(std::span<const float> rows, SquareMatrix& gram) override {
        cpu::add_inner_products(rows, threads_, gram);
    }
    [[nodiscard]] Ascending solve(const SquareMatrix& matrix) override {
        Ascending result{std::vector<double>(matrix.size), matrix};
        const auto order = static_cast<lapack_int>(matrix.size);
        const lapack_int status = LAPACKE_dsyevd(LAPACK_ROW_MAJOR, 'V', 'U', order, result.vectors.values.data(), order,
                                                 result.values.data());
        if (status != 0) throw Error("the eigenvalues of a matrix were not found (LAPACK dsyevd returned {})", status);
        return result;
    }

private:
    int threads_;
};

}  // namespace

std::unique_ptr<LinearAlgebra> make_lapack_algebra(int threads) { return std::make_unique<LapackAlgebra>(threads); }

}  // namespace lossmap::cpu
