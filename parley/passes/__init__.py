"""What passes are: versioned analyses of sealed segments, as code or as prompts."""
