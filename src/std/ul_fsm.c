#include "std/ul_fsm.h"

#include "std/ul_fsm.inc"

struct ul_step std_ul_step(enum ul_state state, enum ul_event event) {
    if ((unsigned)state > STA_COUNT_ || (unsigned)event > EVT_COUNT_)
        return (struct ul_step){UL_ACTION_NONE, 0, 0};
    return step_rows[state][event];
}

const char *std_ul_state_text(enum ul_state state) {
    return (unsigned)state > STA_COUNT_ ? state_text[0] : state_text[state];
}

const char *std_ul_event_text(enum ul_event event) {
    return (unsigned)event > EVT_COUNT_ ? event_text[0] : event_text[event];
}

const char *std_ul_action_name(enum ul_action action) {
    return (unsigned)action >= UL_ACTION_COUNT_ ? action_name[0] : action_name[action];
}
