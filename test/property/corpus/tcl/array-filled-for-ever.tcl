while 1 {set a([incr i]) [string repeat $i 200]}
