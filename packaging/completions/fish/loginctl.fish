# fish completion for loginctl where it is usherctl. Made by `cargo xtask generate`.
complete -c loginctl -w usherctl
