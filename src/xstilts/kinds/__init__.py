"""Kinds decide the machinery: encode, head, loss, decode. All that is decided by kind is here.

spec.py has the facts of each kind, modules.py names its module, base.py is what modules share.
A module has functions of these names, as far as its kind is trained, decoded or shuffled:

texts(row)                      -> [(text, pair or None)]   what a row reads as, for pretraining
encode(rows, tokenizer, length, stride) -> features         token ids and labels, one or more a row
                                   each row by itself: store.py asks for some after the others
head(hidden, labels, dropout)   -> nn.Module; without it, the checkpoint's language-modelling head
positions(features, starts)     -> the tokens that the head reads, counted through a packed batch in
                                   which sequences start at `starts`; without it, each one's first
weight(feature)                 -> loss terms in a feature  (the loss is a mean over all terms)
loss(output, features)          -> summed loss of a micro-batch; output [tokens read, ...]
outputs(output, features)       -> numpy arrays, one a feature
decode(outputs, features, rows, labels) -> one prediction a row, as the metric reads it
references(rows, labels)        -> what the metric compares with
shuffle(rows, rng)              -> rows whose labels say nothing (the negative control)

Some kinds make what is learnt from anew at each update, or of several features, or of some:

taught(feature)                 -> whether training takes it, where some are only predicted
draw(features, rng, tokenizer, training) -> features        of one global batch
unit(training)                  -> features that `draw` makes one of (1 where there is none)

A kind with a model of another form than an encoder under heads has functions for it:

model(folder, dropout)          -> nn.Module with an `encoder`, which passes on to the next phase
lengths(part or training)       -> what `encode` is told in place of length and stride
collate(features, pad, device)  -> what that model reads, in place of a packed batch

Some learn from rows of any kind, or find predictions in a way of their own (a search over beams):

rows_of(rows, kind)             -> rows of this kind made of those of another, given its module
read(rows, tokenizer, length)   -> features of rows of any split, where `encode` is for some alone
predict(decoder, rows)          -> one prediction a row, in place of encode, outputs and decode;
                                   the model and what belongs to it: training.predict.Decoder
"""
