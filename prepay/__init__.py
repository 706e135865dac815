"""The rules of prepayment: pure functions of state, time and calendar tables."""
