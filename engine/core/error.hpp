#pragma once

#include <stdexcept>
#include <string>

#include <fmt/format.h>

namespace lossmap {

/// Root of every exception lossmap throws. Caught at the command line and turned into exit status 1 ("failed while
/// running") unless a derived class says otherwise.
class Error : public std::runtime_error {
public:
    explicit Error(const std::string& message) : std::runtime_error(message) {}

    template <typename... Args>
    explicit Error(fmt::format_string<Args...> format, Args&&... args) requires(sizeof...(Args) > 0)
        : std::runtime_error(fmt::format(format, std::forward<Args>(args)...)) {}
};

/// What the user handed in is wrong: command line, configuration, model, checkpoint or data. Exit status 2.
/// The message is one sentence: which file, which key or node, what was expected.
class InputError : public Error {
public:
    using Error::Error;
};

/// A valid input that needs something lossmap does not have (an operator, a data type, a device). Exit status 2.
class UnsupportedError : public InputError {
public:
    using InputError::InputError;
};

/// The user asked to stop (SIGINT, SIGTERM); finished work is in the journal. Exit status 130.
class Interrupted : public Error {
public:
    using Error::Error;
};

/// A promise inside lossmap is broken: a defect of the program, not of its input. Exit status 1.
class InternalError : public Error {
public:
    using Error::Error;
};

/// Runs `body`; an exception of the hierarchy leaves with "<context>: " in front and its type kept, so that every layer
/// adds what it knows (file, node, key).
template <typename Context, typename Body>
decltype(auto) with_context(const Context& context, Body&& body) {
    const auto prefixed = [&](const Error& error) { return fmt::format("{}: {}", context, error.what()); };
    try {
        return body();
    } catch (const UnsupportedError& error) {
        throw UnsupportedError(prefixed(error));
    } catch (const InputError& error) {
        throw InputError(prefixed(error));
    } catch (const Interrupted&) {
        throw;
    } catch (const InternalError& error) {
        throw InternalError(prefixed(error));
    } catch (const Error& error) {
        throw Error(prefixed(error));
    }
}

}  // namespace lossmap
