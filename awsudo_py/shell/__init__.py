"""The parts of awsudo in the user's shell: completion, prompt, history, picker, start-up files."""
