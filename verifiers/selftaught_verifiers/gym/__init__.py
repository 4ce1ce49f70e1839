"""Questions of reasoning_gym: judged by the gym's own scorers."""
