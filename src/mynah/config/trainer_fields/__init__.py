"""The fields of ``transformers.TrainingArguments``, and what becomes of each."""
