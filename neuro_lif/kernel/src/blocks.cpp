// The inner loops, compiled once for each instruction set; VARIANT names the namespace.
//
// All but what blocks.hpp declares stands in an anonymous namespace: the linker keeps one copy
// of an inline function or template instance that several variants contain, whichever
// instructions it is made of. For the same reason nothing of the standard library is called.
#include <cstddef>
#include <cstdint>

namespace neuro_lif::VARIANT {
namespace {

std::int64_t plus(std::int64_t a, std::int64_t b) { return a + b; }

}  // namespace

std::int64_t sum(const std::int64_t *values, std::size_t count);

std::int64_t sum(const std::int64_t *values, std::size_t count) {
    std::int64_t total = 0;
    for (std::size_t i = 0; i < count; ++i) total = plus(total, values[i]);
    return total;
}

}  // namespace neuro_lif::VARIANT
