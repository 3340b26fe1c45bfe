// What a neuron model looks like to the kernel: flat instructions over blocks of neurons.
#pragma once
#include <cstdint>
#include <vector>

namespace neuro_lif {

constexpr int LANES = 256;  // neurons of one block: their registers and parameters stay in L1
constexpr int GROUP = 16;   // blocks are padded to a multiple of this
constexpr int CALM_BLOCKS = 16;  // blocks that one CalmJob has at most
constexpr int MOST_REGISTERS = 32;
constexpr int MOST_PORTS = 8;
constexpr int MOST_PENDING = 64;
constexpr int MOST_PARAMETERS = 64;
constexpr int MOST_CODE = 256;  // instructions of a 32-bit program

enum class OpCode : int32_t {
    acc, decay, add, copy, clamp, floor, fire, if_, if_ref, if_step, tick_ref, emit,
    // only in programs for 32 bits:
    decay_rtz,  // truncated product with a float32 factor
    saturate,   // an overflow rule "sat" that is counted in place
    // only in programs of neurons that are run one by one:
    each,  // the ports are the bits of k, the body is n_then long
};

enum class Rounding : int32_t { floor, rtz, raz, floor_then_raz, nearest_up };
enum class Mode : int32_t { wrap, sat, wrap_once };
enum class Kind : int32_t { mult_keep, mult_step, mult_by, shift, linear, linear_to_zero };
enum class Compare : int32_t { gt, ge, lt, le, eq, ne };
enum class Reset : int32_t { value, subtract, none };

// Where an operand is: a constant, a parameter (one number per neuron) or a register.
enum class Where : int32_t { none, constant, parameter, register_ };
struct Operand {
    Where where = Where::none;
    int32_t index = 0;  // of the constant, parameter or register
    int32_t negative = 0;
};

struct Rule {
    Mode mode;
    int64_t lo, hi;
    int32_t event;  // counted under this number
};

struct RuleSpan {
    int32_t first = 0, count = 0;
};

struct Instruction {
    OpCode op;
    int32_t reg = -1, into = -1;
    Operand a, b, c;
    int32_t k = 0, kind = 0, round = 0, compare = 0, reset = 0;
    int32_t once = 1, sign = 1, magnitude = 0, set = 1, has_min = 0, only = 0, event = -1, fused = 0;
    int32_t port = -1, compare_reg = -1;
    int64_t offset = 0, min_step = 0, min_v = 0, cap = 1;
    RuleSpan sum_rules, shift_rules, rules;
    int32_t n_then = 0, n_else = 0;
    // 32-bit programs: a value outside means that the block is done again in 64 bits
    int64_t in_lo = INT64_MIN, in_hi = INT64_MAX, lo = INT64_MIN, hi = INT64_MAX;
};

// Where the usual LIF neuron stands in a program: current, bias, voltage, refractory period,
// threshold. The whole of it is then one loop; -1: there is no such instruction.
struct Lif {
    bool present = false;
    int acc = -1, bias = -1, add = -1, hold = -1, fire = -1, tick = -1;
};

struct Program {
    std::vector<Instruction> code;
    std::vector<Rule> rules;
    std::vector<int64_t> constants;
    bool present = false;
    bool sends_once = false;
    Lif lif;
};

Lif lif_in(const std::vector<Instruction>& code);

// Everything one call of a block needs; T is int32_t or int64_t.
template <class T>
struct Block {
    const Instruction* code;
    int n_code;
    const Rule* rules;
    const Lif* lif;   // null: none
    bool sends_once;  // one instruction of the program writes all of sent
    const T* const* constants;   // [constant] -> LANES equal values
    const T* const* parameters;  // [parameter] -> this block's values
    const float* const* factors; // [instruction] -> factors of decay_rtz (32 bits only)
    T* state[MOST_REGISTERS];    // [register] -> this block's values, updated
    uint32_t keep;               // bit r: register r is written back
    const T* ports[8];           // [port] -> what arrives, null: nothing
    T* sent;                     // what each neuron sends, written
    int lanes;
    int64_t t;
    // out
    int n_pending;
    struct Pending {
        int32_t event, count, first;
    } pending[MOST_PENDING];
    bool any_sent;
};

// One number for all neurons, or one for each.
template <class T>
struct Spread {
    const T* values = nullptr;  // one for all: LANES times the same
    bool each = false;
};

// The usual LIF neuron (Lif) while its block is calm: u and v are so small that no range can be
// left in the next step, whatever arrives. Nothing has to be kept for doing the block again, and
// the refractory counter is the step it ends with, which is written in spikes only.
struct CalmJob {
    int size, first_block, last_block;
    int32_t *u, *v, *until;  // of neuron 0; until: null without a refractory period
    int32_t* in;             // what arrives, cleared; null: nothing
    int32_t* values;         // 1 for those that spike
    uint32_t* found;         // their numbers, rising; with room for GROUP more
    uint8_t* calm;           // [block] whether it still is, written
    bool one;                // all parameters are Spread with one number
    Spread<float> factor_u, factor_v;
    Spread<int32_t> bias, held, threshold, reset, refract;
    int shift;               // what arrives is shifted left by it
    int32_t safe_u, safe_v;  // powers of two: calm is -safe <= x < safe
    int32_t now;             // this step
};

constexpr int WIDE_ROW = 64;  // dense rows below this length are DenseJobs of conv.hpp

struct DenseJob {
    const void* rows;  // [n_pre][stride] int8 or int16 or int32
    int64_t stride;
    int width;         // bytes of a weight
    int shift;         // weights are stored divided by 2^shift
    int n_post;
    const uint32_t* active;
    int n_active;
    int32_t* out;
    bool small = false;  // bytes of which two can be added up in one
};

struct Variant {
    const char* name;
    bool (*step32)(Block<int32_t>&);  // false: not done, nothing was changed
    void (*step64)(Block<int64_t>&);
    void (*dense)(const DenseJob&);
    int (*nonzero32)(const int32_t* x, int n, uint32_t base, uint32_t* out);
    int (*nonzero8)(const int8_t* x, int n, uint32_t base, uint32_t* out);
    int (*calm)(const CalmJob&);  // returns how many spike
};

const Variant& chosen_variant();
std::vector<const char*> compiled_sets();
std::vector<const char*> usable_sets();  // the best last
bool choose_set(const char* name);

}  // namespace neuro_lif
