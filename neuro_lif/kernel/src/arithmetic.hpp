// What a rounding, an overflow rule or a decay makes of one number, in 64 bits.
//
// In an unnamed namespace, and without the standard library: blocks.cpp includes it, which is
// compiled once per instruction set.
#pragma once
#include <cstdint>

#include "program.hpp"

namespace neuro_lif {
namespace {

inline int64_t shifted(int64_t x, int64_t k) {
    if (k >= 0) return int64_t(uint64_t(x) << (k > 63 ? 63 : k));
    return x >> (-k > 63 ? 63 : -k);
}

inline int64_t shifted_rtz(int64_t x, int64_t k) {
    return x >= 0 ? shifted(x, k) : -shifted(-x, k);
}

inline int64_t rounded(int64_t p, int k, Rounding rounding) {
    const int64_t unit = int64_t(1) << k;
    switch (rounding) {
        case Rounding::floor: return p >> k;
        case Rounding::rtz: return p >= 0 ? p >> k : -((-p) >> k);
        case Rounding::raz: return p >= 0 ? (p + unit - 1) >> k : -((-p + unit - 1) >> k);
        case Rounding::floor_then_raz: {
            const int64_t floor = p >> k;
            if ((p & (unit - 1)) == 0) return floor;
            return p >= 0 ? floor + 1 : floor - 1;
        }
        default: return (p + (unit >> 1)) >> k;
    }
}

inline int64_t ruled(int64_t x, const Rule& rule) {
    if (x >= rule.lo && x <= rule.hi) return x;
    if (rule.mode == Mode::sat) return x < rule.lo ? rule.lo : rule.hi;
    const int64_t period = rule.hi - rule.lo + 1;
    if (rule.mode == Mode::wrap_once) return x < rule.lo ? x + period : x - period;
    int64_t rest = (x - rule.lo) % period;
    if (rest < 0) rest += period;
    return rest + rule.lo;
}

inline int64_t after_decay(Kind kind, int64_t x, int64_t d, int k, int64_t offset,
                           Rounding rounding, int64_t min_step) {
    switch (kind) {
        case Kind::mult_keep: return rounded(x * ((int64_t(1) << k) - offset - d), k, rounding);
        case Kind::mult_step: return x - rounded(x * (d + offset), k, rounding);
        case Kind::mult_by: return rounded(x * d, k, rounding);
        case Kind::linear: return x - d;
        case Kind::linear_to_zero: {
            const int64_t left = (x < 0 ? -x : x) - d;
            return left <= 0 ? 0 : (x < 0 ? -left : (x > 0 ? left : 0));
        }
        default: {
            const int64_t step = shifted(x, -d);
            return x - (step == 0 ? ((x > 0) - (x < 0)) * min_step : step);
        }
    }
}

template <class T>
inline bool compared(Compare how, T a, T b) {
    switch (how) {
        case Compare::gt: return a > b;
        case Compare::ge: return a >= b;
        case Compare::lt: return a < b;
        case Compare::le: return a <= b;
        case Compare::eq: return a == b;
        default: return a != b;
    }
}

}  // namespace
}  // namespace neuro_lif
