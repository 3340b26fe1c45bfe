// Steps one block of neurons. Compiled once per instruction set (VARIANT names it).
//
// Everything is in an unnamed namespace, and no function of the standard library is called that
// might be left as a function of its own: an inline function that two instruction sets share would
// be kept once by the linker, perhaps in the version that this processor does not have.
#include <cstdlib>
#include <cstring>
#include <limits>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "arithmetic.hpp"
#include "program.hpp"
#include "rounding.hpp"

namespace neuro_lif {
namespace {

template <class T>
inline T smaller(T a, T b) {
    return a < b ? a : b;
}
template <class T>
inline T larger(T a, T b) {
    return a > b ? a : b;
}

// The comparison is chosen once per block, so that the loops inside have none.
template <class F>
inline void with_compare(Compare how, F&& f) {
    switch (how) {
        case Compare::gt: return f([](auto a, auto b) { return a > b; });
        case Compare::ge: return f([](auto a, auto b) { return a >= b; });
        case Compare::lt: return f([](auto a, auto b) { return a < b; });
        case Compare::le: return f([](auto a, auto b) { return a <= b; });
        case Compare::eq: return f([](auto a, auto b) { return a == b; });
        default: return f([](auto a, auto b) { return a != b; });
    }
}

#define EACH LANES_ARE_APART for (int i = 0, end = m & ~(GROUP - 1); i < end; i++)

// Runs a program over one block. NARROW: 32 bits; a value that would leave its range ends the run
// (bad), and the caller does the block again in 64 bits, where every rule is followed and counted.
template <class T, bool NARROW>
struct Interpreter {
    Block<T>& b;
    const int m;           // lanes, padded to GROUP
    T* cur[MOST_REGISTERS];  // where each register is now
    bool bad = false;
    alignas(64) T own[MOST_REGISTERS][LANES];

    explicit Interpreter(Block<T>& block) : b(block), m((block.lanes + GROUP - 1) & ~(GROUP - 1)) {}

    const T* at(const Operand& o, T* spare) {
        const T* p = o.where == Where::constant    ? b.constants[o.index]
                     : o.where == Where::parameter ? b.parameters[o.index]
                                                   : cur[o.index];
        if (!o.negative) return p;
        EACH spare[i] = -p[i];
        return spare;
    }

    // Where a register's new values go: never onto the state itself, which an abandoned run keeps.
    T* to(int reg) { return own[reg]; }

    void write(int reg, const T* value, const T* mask) {
        T* d = to(reg);
        const T* old = cur[reg];
        if (mask) {
            EACH d[i] = mask[i] ? value[i] : old[i];
        } else if (value != d) {
            std::memcpy(d, value, sizeof(T) * m);
        }
        cur[reg] = d;
    }

    void happened(int32_t event, const T* changed) {  // changed: 0 where not
        int count = 0, first = -1;
        for (int i = 0; i < b.lanes; i++)
            if (changed[i]) {
                if (first < 0) first = i;
                count++;
            }
        if (count == 0) return;
        for (int k = 0; k < b.n_pending; k++)
            if (b.pending[k].event == event) {
                b.pending[k].count += count;
                b.pending[k].first = smaller(b.pending[k].first, int32_t(first));
                return;
            }
        if (b.n_pending == MOST_PENDING) std::abort();  // the caller allows no such program
        b.pending[b.n_pending++] = {event, count, first};
    }

    // 64 bits: follows the rules and counts. 32 bits: rules are guards, done by the caller.
    void bound(T* x, const RuleSpan& span, const T* where) {
        if constexpr (!NARROW) {
            for (int r = 0; r < span.count; r++) {
                const Rule& rule = b.rules[span.first + r];
                T any = 0;
                EACH any |= T(x[i] < rule.lo) | T(x[i] > rule.hi);
                if (!any) continue;
                alignas(64) T changed[LANES];
                for (int i = 0; i < m; i++) {
                    const T y = ruled(x[i], rule);
                    changed[i] = (y != x[i]) && (!where || where[i]);
                    x[i] = y;
                }
                happened(rule.event, changed);
            }
        }
    }

    void guard(const T* x, int64_t lo, int64_t hi) {
        if constexpr (NARROW) {
            constexpr int64_t least = std::numeric_limits<T>::min();
            constexpr int64_t most = std::numeric_limits<T>::max();
            if (lo <= least && hi >= most) return;
            const T l = T(larger(lo, least)), h = T(smaller(hi, most));
            T any = 0;
            EACH any |= T(x[i] < l) | T(x[i] > h);
            if (any) bad = true;
        }
    }

    // Put value(i) into d and look at its range in the same pass. Where it leaves the range the
    // block is given up, or (a rule "sat" that is the result's last) cut and counted here.
    template <class F>
    void settle(const Instruction& q, T* d, const T* mask, F value) {
        constexpr int64_t least = std::numeric_limits<T>::min();
        constexpr int64_t most = std::numeric_limits<T>::max();
        if (q.lo <= least && q.hi >= most) {
            EACH d[i] = value(i);
            return;
        }
        const T l = T(larger(q.lo, least)), h = T(smaller(q.hi, most));
        T any = 0;
        EACH {
            const T x = value(i);
            any |= T(x < l) | T(x > h);
            d[i] = x;
        }
        if (!any) return;
        if (q.event < 0) {
            bad = true;
            return;
        }
        alignas(64) T changed[LANES];
        EACH {
            const T x = smaller(larger(d[i], l), h);
            changed[i] = x != d[i];
            d[i] = x;
        }
        if (mask) EACH changed[i] = mask[i] ? changed[i] : 0;
        happened(q.event, changed);
    }

    void acc(const Instruction& q, int index, const T* mask) {
        const T* in = b.ports[q.port];
        const T* x = cur[q.reg];
        T* d = mask ? own_spare : to(q.reg);
        if (!in) in = zero();
        if constexpr (NARROW) {
            guard(in, q.in_lo, q.in_hi);
            if (bad) return;
            const int k = q.k;
            if (q.fused) {
                const float* f = b.factors[index];
                if (k >= 0)
                    settle(q, d, mask, [=](int i) {
                        return T(float(x[i]) * f[i]) + T(uint32_t(in[i]) << k);
                    });
                else
                    settle(q, d, mask, [=](int i) { return T(float(x[i]) * f[i]) + (in[i] >> -k); });
            } else if (k >= 0) {
                settle(q, d, mask, [=](int i) { return x[i] + T(uint32_t(in[i]) << k); });
            } else {
                settle(q, d, mask, [=](int i) { return x[i] + (in[i] >> -k); });
            }
        } else {
            alignas(64) T total[LANES], spare[LANES];
            std::memcpy(total, in, sizeof(T) * m);
            bound(total, q.sum_rules, mask);
            const T* k = at(q.a, spare);
            EACH total[i] = shifted(total[i], k[i]);
            bound(total, q.shift_rules, mask);
            EACH d[i] = x[i] + total[i];
            bound(d, q.rules, mask);
        }
        write(q.reg, d, mask);
    }

    void decay(const Instruction& q, const T* mask) {
        const T* x = cur[q.reg];
        const int target = q.into >= 0 ? q.into : q.reg;
        T* d = mask ? own_spare : to(target);
        alignas(64) T spare[LANES];
        const T* by = at(q.a, spare);
        const Kind kind = Kind(q.kind);
        const Rounding rounding = Rounding(q.round);
        if (q.into >= 0)
            for (int i = 0; i < m; i++)
                d[i] = T(after_decay(kind, x[i], by[i], q.k, q.offset, rounding, q.min_step) - x[i]);
        else
            for (int i = 0; i < m; i++)
                d[i] = T(after_decay(kind, x[i], by[i], q.k, q.offset, rounding, q.min_step));
        guard(d, q.lo, q.hi);
        bound(d, q.rules, mask);
        write(target, d, mask);
    }

    // x * f toward zero. The product is rounded toward zero (the caller set that mode) to 24 bits,
    // which leaves its whole part alone, and the conversion drops the rest.
    void decay_rtz(const Instruction& q, int index, const T* mask) {
        if constexpr (NARROW) {
            const T* x = cur[q.reg];
            const float* f = b.factors[index];
            const int target = q.into >= 0 ? q.into : q.reg;
            T* d = mask ? own_spare : to(target);
            if (Kind(q.kind) == Kind::mult_step) {
                EACH d[i] = x[i] - T(float(x[i]) * f[i]);
            } else {
                EACH d[i] = T(float(x[i]) * f[i]);
            }
            if (q.into >= 0) EACH d[i] -= x[i];
            guard(d, q.lo, q.hi);
            write(target, d, mask);
        }
    }

    void add(const Instruction& q, int index, const T* mask) {
        alignas(64) T spare[LANES], other[LANES];
        const T* s = at(q.a, spare);
        T* d = mask ? own_spare : to(q.reg);
        const T* x = cur[q.reg];
        if constexpr (NARROW) {
            if (q.k > 0) {
                const int k = q.k;
                EACH other[i] = T(uint32_t(s[i]) << k);
                s = other;
            } else if (q.k < 0) {
                const int k = -q.k;
                if (Rounding(q.round) == Rounding::rtz)
                    EACH other[i] = s[i] >= 0 ? s[i] >> k : -((-s[i]) >> k);
                else
                    EACH other[i] = s[i] >> k;
                s = other;
            }
            if (q.fused) {
                const float* f = b.factors[index];
                if (q.sign > 0)
                    settle(q, d, mask, [=](int i) { return T(float(x[i]) * f[i]) + s[i]; });
                else
                    settle(q, d, mask, [=](int i) { return T(float(x[i]) * f[i]) - s[i]; });
            } else if (q.sign > 0) {
                settle(q, d, mask, [=](int i) { return x[i] + s[i]; });
            } else {
                settle(q, d, mask, [=](int i) { return x[i] - s[i]; });
            }
        } else {
            alignas(64) T spare_k[LANES];
            const T* k = at(q.b, spare_k);
            if (Rounding(q.round) == Rounding::rtz)
                EACH other[i] = shifted_rtz(s[i], k[i]);
            else
                EACH other[i] = shifted(s[i], k[i]);
            bound(other, q.sum_rules, mask);
            const T sign = q.sign;
            EACH d[i] = x[i] + sign * other[i];
            bound(d, q.rules, mask);
        }
        write(q.reg, d, mask);
    }

    void copy(const Instruction& q, const T* mask) {
        if (q.only && !mask) {  // nothing changes the source before the copy is changed itself
            cur[q.reg] = cur[q.a.index];
            return;
        }
        alignas(64) T spare[LANES];
        write(q.reg, at(q.a, spare), mask);
    }

    void clamp(const Instruction& q, const T* mask) {
        alignas(64) T spare_lo[LANES], spare_hi[LANES];
        const T* lo = at(q.a, spare_lo);
        const T* hi = at(q.b, spare_hi);
        const T* x = cur[q.reg];
        T any = 0;
        EACH any |= T(x[i] < lo[i]) | T(x[i] > hi[i]) | T(lo[i] > hi[i]);
        if (!any) return;
        alignas(64) T y[LANES], changed[LANES];
        EACH {
            y[i] = smaller(larger(x[i], lo[i]), hi[i]);
            changed[i] = y[i] != x[i];
        }
        if (mask) EACH changed[i] = mask[i] ? changed[i] : 0;
        happened(q.event, changed);
        write(q.reg, y, mask);
    }

    void floor(const Instruction& q, const T* mask) {
        alignas(64) T spare_level[LANES], spare_value[LANES];
        const T* level = at(q.a, spare_level);
        const T* value = at(q.b, spare_value);
        const T* x = cur[q.reg];
        T* d = mask ? own_spare : to(q.reg);
        const T set = q.set;
        with_compare(Compare(q.compare), [&](auto below) {
            EACH d[i] = below(x[i], level[i]) ? (set ? value[i] : x[i] - value[i]) : x[i];
        });
        guard(d, q.lo, q.hi);
        write(q.reg, d, mask);
    }

    void fire(const Instruction& q, const T* mask) {
        alignas(64) T spare_thr[LANES], spare_value[LANES], spare_ref[LANES];
        const T* thr = at(q.a, spare_thr);
        if (q.k || q.a.where == Where::register_) {  // a register may change as it fires
            const int k = q.k;
            EACH spare_thr[i] = thr[i] * (T(1) << k);
            thr = spare_thr;
        }
        if (q.once && q.only && !mask) {
            fire_once(q, thr);
            return;
        }
        alignas(64) T before[LANES], value[LANES], fired[LANES], lowered[LANES];
        std::memcpy(before, b.sent, sizeof(T) * m);
        std::memcpy(value, cur[q.reg], sizeof(T) * m);
        const Reset reset = Reset(q.reset);
        const T cap = T(q.cap), min_v = T(q.min_v);
        while (true) {
            const T* x = q.compare_reg >= 0 ? cur[q.compare_reg] : value;
            T any = 0;
            with_compare(Compare(q.compare), [&](auto above) {
                EACH {
                    T f = above(x[i], thr[i]) && (!q.has_min || x[i] >= min_v);
                    f = f && (q.once ? b.sent[i] - before[i] < 1 : b.sent[i] < cap);
                    fired[i] = f && (!mask || mask[i]);
                    any |= fired[i];
                }
            });
            if (!any) break;
            EACH b.sent[i] += fired[i];
            if (reset == Reset::subtract) {
                EACH lowered[i] = value[i] - thr[i];
                EACH lowered[i] = fired[i] ? lowered[i] : 0;
                guard(lowered, q.lo, q.hi);
                if (bad) return;
                EACH lowered[i] = value[i] - thr[i];
                bound(lowered, q.rules, fired);
                write(q.reg, lowered, fired);
                std::memcpy(value, cur[q.reg], sizeof(T) * m);
            } else if (reset == Reset::value && !q.once) {
                EACH value[i] = fired[i] ? value[i] - thr[i] : value[i];
            }
            if (q.once || reset == Reset::none) break;
        }
        EACH fired[i] = b.sent[i] > before[i];
        if (reset == Reset::value) write(q.reg, at(q.b, spare_value), fired);
        if (q.c.where != Where::none) write(ref, at(q.c, spare_ref), fired);
    }

    // The usual case: the model's only fire, one spike at most, outside of all branches.
    void fire_once(const Instruction& q, const T* thr) {
        const T* x = q.compare_reg >= 0 ? cur[q.compare_reg] : cur[q.reg];
        T* sent = b.sent;
        T any = 0;
        with_compare(Compare(q.compare), [&](auto above) {
            if (q.has_min) {
                const T min_v = T(q.min_v);
                EACH {
                    const T f = above(x[i], thr[i]) & (x[i] >= min_v);
                    sent[i] = f;
                    any |= f;
                }
            } else {
                EACH {
                    const T f = above(x[i], thr[i]);
                    sent[i] = f;
                    any |= f;
                }
            }
        });
        for (int i = b.lanes; i < m; i++) sent[i] = 0;
        b.any_sent = any != 0;
        if (!any) return;
        alignas(64) T spare[LANES];
        if (Reset(q.reset) == Reset::value) {
            write(q.reg, at(q.b, spare), sent);
        } else if (Reset(q.reset) == Reset::subtract) {
            const T* v = cur[q.reg];
            T* d = own_spare;
            EACH d[i] = sent[i] ? v[i] - thr[i] : 0;
            guard(d, q.lo, q.hi);
            EACH d[i] = v[i] - thr[i];
            bound(d, q.rules, sent);
            write(q.reg, d, sent);
        }
        if (q.c.where != Where::none) write(ref, at(q.c, spare), sent);
    }

    void branch(const Instruction& q, int index, const T* holds, const T* mask) {
        alignas(64) T chosen[LANES];
        const int then_end = index + 1 + q.n_then;
        for (int side = 0; side < 2; side++) {
            const int first = side ? then_end : index + 1;
            const int last = side ? then_end + q.n_else : then_end;
            if (first == last) continue;
            T any = 0, all = 1;
            if (mask) {
                EACH {
                    chosen[i] = (side ? !holds[i] : holds[i]) && mask[i];
                    any |= chosen[i];
                }
                all = 0;
            } else {
                EACH {
                    chosen[i] = side ? !holds[i] : holds[i];
                    any |= chosen[i];
                    all &= chosen[i];
                }
            }
            if (any) run(first, last, all ? nullptr : chosen);
            if (bad) return;
        }
    }

    void if_(const Instruction& q, int index, const T* mask) {
        alignas(64) T spare[LANES], spare_level[LANES], spare_k[LANES], holds[LANES];
        const T* x = at(q.a, spare);
        const T* level = at(q.b, spare_level);
        if constexpr (NARROW) {
            if (q.k) EACH spare_level[i] = T(shifted(level[i], q.k));
        } else {
            const T* k = at(q.c, spare_k);
            EACH spare_level[i] = T(shifted(level[i], k[i]));
        }
        if (!NARROW || q.k) level = spare_level;
        if (q.magnitude) {
            EACH spare[i] = x[i] < 0 ? -x[i] : x[i];
            x = spare;
        }
        with_compare(Compare(q.compare), [&](auto holds_for) {
            EACH holds[i] = holds_for(x[i], level[i]);
        });
        branch(q, index, holds, mask);
    }

    void if_step(const Instruction& q, int index, const T* mask) {
        alignas(64) T spare_a[LANES], spare_b[LANES], holds[LANES];
        const T* interval = at(q.a, spare_a);
        const T* offset = at(q.b, spare_b);
        for (int i = 0; i < m; i++)
            holds[i] = interval[i] > 0 && (b.t - offset[i]) % interval[i] == 0;
        branch(q, index, holds, mask);
    }

    void if_ref(const Instruction& q, int index, const T* mask) {
        alignas(64) T holds[LANES];
        const T* x = cur[ref];
        const Instruction& first = (&q)[1];
        if (!mask && q.n_then == 1 && q.n_else == 0 && first.op == OpCode::copy) {
            const T* value = at(first.a, holds);
            const T* old = cur[first.reg];
            T* d = to(first.reg);
            EACH d[i] = x[i] > 0 ? value[i] : old[i];
            cur[first.reg] = d;
            return;
        }
        T any = 0;
        EACH {
            holds[i] = x[i] > 0;
            any |= holds[i];
        }
        if (!any && q.n_else == 0) return;
        branch(q, index, holds, mask);
    }

    void tick_ref(const T* mask) {
        const T* x = cur[ref];
        T* d = mask ? own_spare : to(ref);
        EACH d[i] = x[i] > 1 ? x[i] - 1 : 0;
        write(ref, d, mask);
    }

    void emit(const Instruction& q, const T* mask) {
        alignas(64) T spare[LANES], value[LANES];
        const T* s = at(q.a, spare);
        if constexpr (NARROW) {
            EACH value[i] = T(shifted(s[i], q.k));
        } else {
            alignas(64) T spare_k[LANES];
            const T* k = at(q.b, spare_k);
            EACH value[i] = shifted(s[i], k[i]);
        }
        if (mask)
            EACH b.sent[i] += mask[i] ? value[i] : 0;
        else
            EACH b.sent[i] += value[i];
        guard(b.sent, q.lo, q.hi);
    }

    void run(int first, int last, const T* mask) {
        for (int i = first; i < last && !bad; i++) {
            const Instruction& q = b.code[i];
            switch (q.op) {
                case OpCode::acc: acc(q, i, mask); break;
                case OpCode::decay: decay(q, mask); break;
                case OpCode::decay_rtz: decay_rtz(q, i, mask); break;
                case OpCode::add: add(q, i, mask); break;
                case OpCode::copy: copy(q, mask); break;
                case OpCode::saturate:
                case OpCode::clamp: clamp(q, mask); break;
                case OpCode::floor: floor(q, mask); break;
                case OpCode::fire: fire(q, mask); break;
                case OpCode::if_: if_(q, i, mask); break;
                case OpCode::if_ref: if_ref(q, i, mask); break;
                case OpCode::if_step: if_step(q, i, mask); break;
                case OpCode::tick_ref: tick_ref(mask); break;
                case OpCode::emit: emit(q, mask); break;
                case OpCode::each: break;  // models with it are not run in blocks
            }
            i += q.n_then + q.n_else;
        }
    }

    const T* zero() {
        EACH nothing[i] = 0;
        return nothing;
    }

    bool step() {
        b.n_pending = 0;
        for (int r = 0; r < MOST_REGISTERS; r++) cur[r] = b.state[r];
        if (!b.sends_once) EACH b.sent[i] = 0;
        run(0, b.n_code, nullptr);
        if (bad) return false;
        for (int r = 0; r < MOST_REGISTERS; r++)
            if ((b.keep >> r & 1) && cur[r] != b.state[r])
                std::memcpy(b.state[r], cur[r], sizeof(T) * m);
        if (b.sends_once) return true;
        T any = 0;
        for (int i = b.lanes; i < m; i++) b.sent[i] = 0;
        EACH any |= b.sent[i];
        b.any_sent = any != 0;
        return true;
    }

    static constexpr int ref = 0;  // the refractory counter is register 0
    alignas(64) T own_spare[LANES];
    alignas(64) T nothing[LANES];
};

// Wraps, where the block will be given up anyway.
inline int32_t sum(int32_t a, int32_t b) { return int32_t(uint32_t(a) + uint32_t(b)); }

// The usual LIF neuron in one loop. False: something left its range and nothing was changed.
template <bool BIAS, bool REFRACTORY, bool OR_EQUAL>
bool lif(Block<int32_t>& b) {
    const Lif& where = *b.lif;
    const Instruction* code = b.code;
    const Instruction &acc = code[where.acc], &add = code[where.add], &fire = code[where.fire];
    const int m = (b.lanes + GROUP - 1) & ~(GROUP - 1);
    auto at = [&](const Operand& o) {
        return o.where == Where::constant ? b.constants[o.index] : b.parameters[o.index];
    };
    auto end = [](int64_t x) {
        constexpr int64_t most = std::numeric_limits<int32_t>::max();
        return int32_t(x < -most ? -most : x > most ? most : x);
    };
    alignas(64) static const int32_t nothing[LANES] = {};
    const int32_t* in = b.ports[acc.port] ? b.ports[acc.port] : nothing;
    int32_t *u = b.state[acc.reg], *v = b.state[add.reg], *r = b.state[0];
    const float *fu = b.factors[where.acc], *fv = b.factors[where.add];
    const int32_t* bias = BIAS ? at(code[BIAS ? where.bias : 0].a) : nullptr;
    const int32_t* held = REFRACTORY ? at(code[REFRACTORY ? where.hold : 0].a) : nullptr;
    const int32_t* refract = REFRACTORY ? at(fire.c) : nullptr;
    const int32_t *threshold = at(fire.a), *reset = at(fire.b);
    const int32_t in_lo = end(acc.in_lo), in_hi = end(acc.in_hi);
    const int32_t u_lo = end(acc.lo), u_hi = end(acc.hi), v_lo = end(add.lo), v_hi = end(add.hi);
    const int32_t d_lo = BIAS ? end(code[BIAS ? where.bias : 0].lo) : 0;
    const int32_t d_hi = BIAS ? end(code[BIAS ? where.bias : 0].hi) : 0;
    const int k = acc.k;
    int32_t* sent = b.sent;
    alignas(64) int32_t new_u[LANES], new_v[LANES], new_r[REFRACTORY ? LANES : 1];
    // least and greatest of each value: two instructions, where two comparisons took five
    constexpr int32_t least = std::numeric_limits<int32_t>::min();
    constexpr int32_t most = std::numeric_limits<int32_t>::max();
    int32_t x_min = most, x_max = least, u_min = most, u_max = least;
    int32_t d_min = most, d_max = least, v_min = most, v_max = least, any = 0;
    LANES_ARE_APART for (int i = 0; i < m; i++) {
        const int32_t x = in[i];
        const int32_t current = sum(int32_t(float(u[i]) * fu[i]), int32_t(uint32_t(x) << k));
        x_min = smaller(x_min, x);
        x_max = larger(x_max, x);
        u_min = smaller(u_min, current);
        u_max = larger(u_max, current);
        int32_t drive = current;
        if (BIAS) {
            drive = sum(drive, bias[i]);
            d_min = smaller(d_min, drive);
            d_max = larger(d_max, drive);
        }
        int32_t voltage = sum(int32_t(float(v[i]) * fv[i]), drive);
        v_min = smaller(v_min, voltage);
        v_max = larger(v_max, voltage);
        int32_t counter = 0;
        if (REFRACTORY) {
            counter = r[i];
            voltage = counter > 0 ? held[i] : voltage;
        }
        const int32_t fired = OR_EQUAL ? voltage >= threshold[i] : voltage > threshold[i];
        any |= fired;
        sent[i] = fired;
        new_u[i] = current;
        new_v[i] = fired ? reset[i] : voltage;
        if (REFRACTORY) {
            counter = fired ? refract[i] : counter;
            new_r[i] = counter > 1 ? counter - 1 : 0;
        }
    }
    const bool fine = x_min >= in_lo && x_max <= in_hi && u_min >= u_lo && u_max <= u_hi &&
                      v_min >= v_lo && v_max <= v_hi &&
                      (!BIAS || (d_min >= d_lo && d_max <= d_hi));
    if (!fine) return false;
    std::memcpy(u, new_u, sizeof(int32_t) * m);
    std::memcpy(v, new_v, sizeof(int32_t) * m);
    if (REFRACTORY) std::memcpy(r, new_r, sizeof(int32_t) * m);
    for (int i = b.lanes; i < m; i++) sent[i] = 0;
    b.n_pending = 0;
    b.any_sent = any != 0;
    return true;
}

bool usual_lif(Block<int32_t>& b) {
    const bool bias = b.lif->bias >= 0, refractory = b.lif->hold >= 0;
    const Compare how = Compare(b.code[b.lif->fire].compare);
    if (how == Compare::gt) {
        if (bias) return refractory ? lif<true, true, false>(b) : lif<true, false, false>(b);
        return refractory ? lif<false, true, false>(b) : lif<false, false, false>(b);
    }
    if (bias) return refractory ? lif<true, true, true>(b) : lif<true, false, true>(b);
    return refractory ? lif<false, true, true>(b) : lif<false, false, true>(b);
}

bool step32(Block<int32_t>& block) {
    TowardZero mode;
    // it leaves out the scratch register, which is kept only where it is recorded
    const bool usual = block.lif && !(block.lif->bias >= 0 &&
                                      (block.keep >> block.code[block.lif->bias].reg & 1));
    if (usual && usual_lif(block)) return true;
    Interpreter<int32_t, true> interpreter(block);
    return interpreter.step();
}

void step64(Block<int64_t>& block) {
    Interpreter<int64_t, false> interpreter(block);
    interpreter.step();
}

// ------------------------------------------------------------------ delivery of dense rows

constexpr int TILE = 512;

// Rows are padded with zeros to a multiple of this, and so are the sums.
constexpr int ROW = 64;

inline void add_four(int16_t* __restrict sum, const int8_t* __restrict a,
                     const int8_t* __restrict b, const int8_t* __restrict c,
                     const int8_t* __restrict d, int rows) {
    for (int r = 0; r < rows; r++)
        LANES_ARE_APART for (int j = r * ROW; j < r * ROW + ROW; j++) {
            const int16_t ab = int16_t(int16_t(a[j]) + int16_t(b[j]));
            const int16_t cd = int16_t(int16_t(c[j]) + int16_t(d[j]));
            sum[j] = int16_t(sum[j] + int16_t(ab + cd));
        }
}

template <class S, class W>
inline void add_one(S* __restrict sum, const W* __restrict a, int rows) {
    for (int r = 0; r < rows; r++)
        LANES_ARE_APART for (int j = r * ROW; j < r * ROW + ROW; j++) sum[j] = S(sum[j] + a[j]);
}

template <class S>
inline void put(int32_t* __restrict out, const S* __restrict sum, int n, int shift) {
    LANES_ARE_APART for (int j = 0; j < n; j++) out[j] += int32_t(uint32_t(int32_t(sum[j])) << shift);
}

// Rows of bytes that can be added up in 16 bits without overflow.
constexpr int TOGETHER = 252;

#if defined(__AVX512BW__)

constexpr int SOON = 2;  // rows asked for ahead: after other work they are in the third cache

// Add 16-bit sums of 32 neurons to those in memory; `left` of them are there.
inline void put_half(int32_t* out, __m256i sum, int shift, int left) {
    if (left <= 0) return;
    const __mmask16 there = left < 16 ? __mmask16((1u << left) - 1) : __mmask16(0xffff);
    const __m512i wide = _mm512_slli_epi32(_mm512_cvtepi16_epi32(sum), unsigned(shift));
    _mm512_mask_storeu_epi32(out, there,
                             _mm512_add_epi32(_mm512_maskz_loadu_epi32(there, out), wide));
}

// The sums of R * ROW neurons stay in registers; active: at most TOGETHER rows.
template <int R>
void add_rows(const DenseJob& job, int from, const uint32_t* active, int n_active) {
    __m512i sum[2 * R];
#pragma GCC unroll 16
    for (int r = 0; r < 2 * R; r++) sum[r] = _mm512_setzero_si512();
    const int8_t* base = static_cast<const int8_t*>(job.rows) + from;
    const int64_t stride = job.stride;
    int k = 0;
    for (; job.small && k + 2 <= n_active; k += 2) {
        const int8_t *a = base + active[k] * stride, *b = base + active[k + 1] * stride;
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            const __m512i both = _mm512_add_epi8(_mm512_loadu_si512(a + r * ROW),
                                                 _mm512_loadu_si512(b + r * ROW));
            const __m256i low = _mm512_castsi512_si256(both);
            const __m256i high = _mm512_maskz_extracti64x4_epi64(0xf, both, 1);
            sum[2 * r] = _mm512_add_epi16(sum[2 * r], _mm512_cvtepi8_epi16(low));
            sum[2 * r + 1] = _mm512_add_epi16(sum[2 * r + 1], _mm512_cvtepi8_epi16(high));
        }
    }
    for (; k < n_active; k++) {
        const __m256i* row = reinterpret_cast<const __m256i*>(base + active[k] * stride);
        const int8_t* soon = base + active[smaller(k + SOON, n_active - 1)] * stride;
#pragma GCC unroll 16
        for (int r = 0; r < 2 * R; r++) {
            if (r % 2 == 0) __builtin_prefetch(soon + r / 2 * ROW);
            sum[r] = _mm512_add_epi16(sum[r], _mm512_cvtepi8_epi16(_mm256_loadu_si256(row + r)));
            asm("" : "+v"(sum[r]));  // added to in place, not copied from register to register
        }
    }
    const int left = job.n_post - from;
    int32_t* out = job.out + from;
#pragma GCC unroll 16
    for (int r = 0; r < 2 * R; r++) {
        put_half(out + 32 * r, _mm512_castsi512_si256(sum[r]), job.shift, left - 32 * r);
        put_half(out + 32 * r + 16, _mm512_maskz_extracti64x4_epi64(0xf, sum[r], 1), job.shift,
                 left - 32 * r - 16);
    }
}

void dense8(const DenseJob& job) {
    for (int first = 0; first < job.n_active; first += TOGETHER) {
        const int n = smaller(TOGETHER, job.n_active - first);
        const uint32_t* active = job.active + first;
        for (int from = 0; from < job.n_post; from += 8 * ROW) {
            switch ((job.n_post - from + ROW - 1) / ROW) {
                case 1: add_rows<1>(job, from, active, n); break;
                case 2: add_rows<2>(job, from, active, n); break;
                case 3: add_rows<3>(job, from, active, n); break;
                case 4: add_rows<4>(job, from, active, n); break;
                case 5: add_rows<5>(job, from, active, n); break;
                case 6: add_rows<6>(job, from, active, n); break;
                case 7: add_rows<7>(job, from, active, n); break;
                default: add_rows<8>(job, from, active, n);
            }
        }
    }
}

#else

// int8 rows are added up in 16 bits, as many as cannot overflow, then in 32.
void dense8(const DenseJob& job) {
    const int8_t* rows = static_cast<const int8_t*>(job.rows);
    const int64_t stride = job.stride;
    for (int from = 0; from < job.n_post; from += TILE) {
        const int n = smaller(TILE, job.n_post - from), padded = (n + ROW - 1) / ROW;
        alignas(64) int16_t sum[TILE];
        for (int first = 0; first < job.n_active; first += TOGETHER) {
            const int last = smaller(job.n_active, first + TOGETHER);
            std::memset(sum, 0, sizeof(int16_t) * padded * ROW);
            const int8_t* base = rows + from;
            int k = first;
            for (; k + 4 <= last; k += 4)
                add_four(sum, base + job.active[k] * stride, base + job.active[k + 1] * stride,
                         base + job.active[k + 2] * stride, base + job.active[k + 3] * stride,
                         padded);
            for (; k < last; k++) add_one(sum, base + job.active[k] * stride, padded);
            put(job.out + from, sum, n, job.shift);
        }
    }
}

#endif

template <class W>
void dense_wide(const DenseJob& job) {
    const W* rows = static_cast<const W*>(job.rows);
    for (int from = 0; from < job.n_post; from += TILE) {
        const int n = smaller(TILE, job.n_post - from), padded = (n + ROW - 1) / ROW;
        alignas(64) int32_t sum[TILE];
        std::memset(sum, 0, sizeof(int32_t) * padded * ROW);
        for (int k = 0; k < job.n_active; k++)
            add_one(sum, rows + job.active[k] * job.stride + from, padded);
        put(job.out + from, sum, n, job.shift);
    }
}

void dense(const DenseJob& job) {
    if (job.width == 1)
        dense8(job);
    else if (job.width == 2)
        dense_wide<int16_t>(job);
    else
        dense_wide<int32_t>(job);
}

int nonzero32(const int32_t* x, int n, uint32_t base, uint32_t* out) {
    int found = 0, i = 0;
#if defined(__AVX512F__)
    const __m512i upward =
        _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    for (; i + 16 <= n; i += 16) {
        // whole vectors are written, up to out + i + 16: no branch for each of those found
        const __m512i v = _mm512_loadu_si512(x + i);
        const __mmask16 mask = _mm512_test_epi32_mask(v, v);
        const __m512i numbers = _mm512_add_epi32(_mm512_set1_epi32(int(base) + i), upward);
        _mm512_storeu_si512(out + found, _mm512_maskz_compress_epi32(mask, numbers));
        found += __builtin_popcount(mask);
    }
#elif defined(__AVX2__)
    for (; i + 8 <= n; i += 8) {
        const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i));
        const __m256i zero = _mm256_cmpeq_epi32(v, _mm256_setzero_si256());
        unsigned mask = 255u & ~unsigned(_mm256_movemask_ps(_mm256_castsi256_ps(zero)));
        for (; mask; mask &= mask - 1) out[found++] = base + i + __builtin_ctz(mask);
    }
#elif defined(__SSE2__)
    for (; i + 4 <= n; i += 4) {
        const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i));
        const __m128i zero = _mm_cmpeq_epi32(v, _mm_setzero_si128());
        unsigned mask = 15u & ~unsigned(_mm_movemask_ps(_mm_castsi128_ps(zero)));
        for (; mask; mask &= mask - 1) out[found++] = base + i + __builtin_ctz(mask);
    }
#endif
    for (; i < n; i++)
        if (x[i]) out[found++] = base + i;
    return found;
}

// Which bytes are not zero.
int nonzero8(const int8_t* x, int n, uint32_t base, uint32_t* out) {
    int found = 0, i = 0;
#if defined(__AVX512BW__)
    const __m512i upward =
        _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    for (; i + 64 <= n; i += 64) {
        const __m512i v = _mm512_loadu_si512(x + i);
        uint64_t mask = _mm512_test_epi8_mask(v, v);
        if (!mask) continue;
        for (int k = 0; k < 64; k += 16, mask >>= 16) {  // no branch for each of those found
            const __m512i numbers = _mm512_add_epi32(_mm512_set1_epi32(int(base) + i + k), upward);
            _mm512_storeu_si512(out + found, _mm512_maskz_compress_epi32(__mmask16(mask), numbers));
            found += __builtin_popcount(unsigned(mask & 0xffff));
        }
    }
#endif
    for (; i + 64 <= n; i += 64) {
        uint64_t mask = 0;
#if defined(__SSE2__)
        for (int k = 0; k < 64; k += 16) {
            const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i + k));
            const int zero = _mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_setzero_si128()));
            mask |= uint64_t(0xffff & ~zero) << k;
        }
#else
        for (int k = 0; k < 64; k++) mask |= uint64_t(x[i + k] != 0) << k;
#endif
        for (; mask; mask &= mask - 1) out[found++] = base + uint32_t(i + __builtin_ctzll(mask));
    }
    for (; i < n; i++)
        if (x[i]) out[found++] = base + uint32_t(i);
    return found;
}

}  // namespace

#define STR_(x) #x
#define STR(x) STR_(x)
#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
int CAT(calm_, VARIANT)(const CalmJob& job);  // calm.cpp
extern const Variant CAT(variant_, VARIANT);
const Variant CAT(variant_, VARIANT) = {STR(VARIANT), step32, step64, dense, nonzero32, nonzero8,
                                        CAT(calm_, VARIANT)};

}  // namespace neuro_lif
