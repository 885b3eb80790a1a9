"""Prints one line for each packet that this network namespace sends or receives, loopback aside, for the given seconds:
`ip <source> <destination> <protocol>`, `arp <sender> <target>` or `other <ethertype>`. (tcpdump insists on dropping groups, which a
user namespace forbids.) Usage: capture.py <seconds>"""
import select, socket, struct, sys, time

ETH_P_ALL = 3
packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
end = time.monotonic() + float(sys.argv[1])
print("capturing", flush=True)
while (left := end - time.monotonic()) > 0:
    if not select.select([packets], [], [], left)[0]:
        break
    data, (interface, ethertype, _, _, _) = packets.recvfrom(128)
    if interface == "lo":
        continue
    if ethertype == 0x0800:
        print("ip", socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20]), data[9])
    elif ethertype == 0x0806:
        print("arp", socket.inet_ntoa(data[14:18]), socket.inet_ntoa(data[24:28]))
    else:
        print("other", hex(ethertype))
