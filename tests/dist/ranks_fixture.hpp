#pragma once

#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/dist/communicator_case.hpp"

namespace lossmap::test {

/// Those of a case that are in this process: all of them in threads, or one of several processes'.
class RanksOfACase : public ::testing::TestWithParam<CommunicatorCase> {
protected:
    /// Runs body(communicator) on every rank at the same time; throws what the first one threw that did.
    void on_all(const std::function<void(Communicator&)>& body) {
        if (communicators_.size() == 1) {
            body(*communicators_.front());  // in the thread that made it
            return;
        }
        std::vector<std::exception_ptr> errors(communicators_.size());
        {
            std::vector<std::jthread> threads;
            for (std::size_t k = 0; k < communicators_.size(); ++k) {
                threads.emplace_back([&, k] {
                    try {
                        body(*communicators_[k]);
                    } catch (...) {
                        errors[k] = std::current_exception();
                    }
                });
            }
        }
        for (const auto& error : errors) {
            if (error) std::rethrow_exception(error);
        }
    }

    Communicators communicators_ = GetParam().make(GetParam().ranks);
};

}  // namespace lossmap::test
