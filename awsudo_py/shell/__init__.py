"""What a person's shell sees: completion, prompt, history, picker, start-up files."""
